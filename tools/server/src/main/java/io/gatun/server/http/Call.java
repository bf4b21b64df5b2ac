package io.gatun.server.http;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;

/// One request and its answer. What reads and writes waits, on a virtual thread of its own.
public final class Call implements AutoCloseable {
  public static final String JSON_TYPE = "application/json; charset=utf-8";

  /// Strings are as long as a body may be: they hold images. Nesting is bounded lest a short body
  /// fill the stack.
  public static final JsonMapper JSON =
      JsonMapper.builder(
              JsonFactory.builder()
                  .streamReadConstraints(
                      StreamReadConstraints.builder()
                          .maxNestingDepth(200)
                          .maxStringLength(Integer.MAX_VALUE)
                          .build())
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  .build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  /// What its messages say to those who wrote the program.
  private static final Pattern OF_THE_READER =
      Pattern.compile(" \\(start marker at .*|: enable `[^`]*` to allow");

  private final Request request;
  private final Response response;
  private final Bodies bodies;
  private final Disconnects disconnects;
  private AutoCloseable watch = () -> {};

  Call(Request request, Response response, Bodies bodies, Disconnects disconnects) {
    this.request = request;
    this.response = response;
    this.bodies = bodies;
    this.disconnects = disconnects;
  }

  public String path() {
    return Request.getPathInContext(request);
  }

  Request request() {
    return request;
  }

  /// What stands behind the `?`, as fields that are texts.
  public Fields parameters() {
    var all = JSON.createObjectNode();
    Request.extractQueryParameters(request).forEach(p -> all.put(p.getName(), p.getValue()));
    return Fields.of(all, "");
  }

  /// The body as JSON.
  ///
  /// @throws ApiException if it is none, or too large
  public JsonNode json() throws IOException, InterruptedException {
    byte[] body = body();
    try {
      JsonNode node = JSON.readTree(body);
      if (node == null || node.isMissingNode()) {
        throw ApiException.invalid(null, "the body is empty; need JSON");
      }
      checkText(node);
      return node;
    } catch (JsonProcessingException e) {
      throw ApiException.of(
          HttpStatus.BAD_REQUEST_400,
          "invalid_json",
          "the body is no JSON: "
              + OF_THE_READER.matcher(e.getOriginalMessage()).replaceFirst("")
              + place(e));
    }
  }

  /// Half of a character has no bytes: it would be read as another one.
  private static void checkText(JsonNode node) {
    if (node.isTextual()) {
      if (node.textValue().codePoints().anyMatch(c -> c >= 0xd800 && c <= 0xdfff)) {
        throw ApiException.invalid(
            null, "a string in the body has half of a character (an unpaired \\ud800 to \\udfff)");
      }
    }
    node.forEach(Call::checkText);
  }

  private static String place(JsonProcessingException e) {
    var at = e.getLocation();
    return at == null ? "" : " (line %d, column %d)".formatted(at.getLineNr(), at.getColumnNr());
  }

  /// All bytes of the body.
  ///
  /// @throws ApiException if there are too many
  public byte[] body() throws IOException, InterruptedException {
    return bodies.read(request);
  }

  /// Has `action` called, on another thread, when the client goes away.
  public void onDisconnect(Runnable action) {
    watch = disconnects.watch(request, action);
  }

  /// Has this thread interrupted when the client goes away: what it computes ends soon.
  public void interruptOnDisconnect() {
    onDisconnect(Thread.currentThread()::interrupt);
  }

  public void send(JsonNode body) throws IOException {
    send(HttpStatus.OK_200, JSON_TYPE, bytes(body));
  }

  public void send(int status, String type, byte[] body) throws IOException {
    response.setStatus(status);
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, type);
    response.getHeaders().put(HttpHeader.CONTENT_LENGTH, body.length);
    Content.Sink.write(response, true, ByteBuffer.wrap(body));
  }

  /// Whether it is too late for another status.
  boolean isCommitted() {
    return response.isCommitted();
  }

  public Response response() {
    return response;
  }

  /// Begins an answer that comes in parts.
  public void begin(String type) {
    response.setStatus(HttpStatus.OK_200);
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, type);
    response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-cache");
    // A proxy that collects answers would undo the streaming.
    response.getHeaders().put("X-Accel-Buffering", "no");
  }

  /// Sends a part now.
  ///
  /// @throws IOException if the client is gone
  public void part(String text) throws IOException {
    Content.Sink.write(response, false, ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
  }

  /// Sends a server-sent event.
  public void event(JsonNode data) throws IOException {
    part("data: " + text(data) + "\n\n");
  }

  /// Sends a line of JSON, of several.
  public void line(JsonNode data) throws IOException {
    part(text(data) + "\n");
  }

  static String text(JsonNode node) {
    return node.toString();
  }

  static byte[] bytes(JsonNode node) {
    return node.toString().getBytes(StandardCharsets.UTF_8);
  }

  /// Ends the watch for the client.
  @Override
  public void close() {
    try {
      watch.close();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}
