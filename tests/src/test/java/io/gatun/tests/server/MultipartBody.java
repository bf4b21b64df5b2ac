package io.gatun.tests.server;

import java.io.ByteArrayOutputStream;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;

/// A form of several parts, as browsers and OpenAI's clients send files.
final class MultipartBody {
  private static final String BOUNDARY = "----gatun-test";

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

  private void write(String text) {
    bytes.writeBytes(text.getBytes(StandardCharsets.UTF_8));
  }

  private void head(String disposition) {
    write("--" + BOUNDARY + "\r\nContent-Disposition: form-data; " + disposition + "\r\n");
  }

  MultipartBody add(String name, String value) {
    head("name=\"" + name + "\"");
    write("\r\n" + value + "\r\n");
    return this;
  }

  MultipartBody add(String name, String file, byte[] content) {
    head("name=\"" + name + "\"; filename=\"" + file + "\"");
    write("Content-Type: image/png\r\n\r\n");
    bytes.writeBytes(content);
    write("\r\n");
    return this;
  }

  BodyPublisher publisher() {
    return BodyPublishers.ofByteArray(
        (bytes.toString(StandardCharsets.ISO_8859_1) + "--" + BOUNDARY + "--\r\n")
            .getBytes(StandardCharsets.ISO_8859_1));
  }

  String type() {
    return "multipart/form-data; boundary=" + BOUNDARY;
  }
}
