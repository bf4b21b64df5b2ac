package io.gatun.tools.remote;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Base64;
import java.util.Iterator;
import java.util.concurrent.CancellationException;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// A running `gatun serve`, or another server of OpenAI's API. What goes wrong there is the user's
/// to hear: it is an [IllegalArgumentException] whose message says what to do.
public final class RemoteServer implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpClient client =
      HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
  private final URI uri;
  private final String key;

  private RemoteServer(URI uri, String key) {
    this.uri = uri;
    this.key = key;
  }

  /// @param key null for none
  static RemoteServer of(String url, String key) {
    try {
      var uri = URI.create(url.endsWith("/") ? url : url + "/");
      if (uri.getHost() != null && String.valueOf(uri.getScheme()).matches("https?")) {
        return new RemoteServer(uri, key);
      }
    } catch (IllegalArgumentException e) {
      // No URL at all.
    }
    throw new IllegalArgumentException(
        "--server is \"%s\"; need a URL such as http://127.0.0.1:8080".formatted(url));
  }

  public static ObjectNode body() {
    return JSON.createObjectNode();
  }

  /// An image's file as a server takes it.
  public static String dataUrl(byte[] image) {
    return "data:image/*;base64," + Base64.getEncoder().encodeToString(image);
  }

  /// Asks, and waits for the whole answer.
  ///
  /// @throws CancellationException if the thread is interrupted
  public JsonNode ask(String path, ObjectNode body) {
    var answer = new JsonNode[1];
    send(path, body, lines -> answer[0] = parse(lines.collect(Collectors.joining("\n"))));
    return answer[0];
  }

  /// Asks, and hands over each event of the answer as it comes.
  ///
  /// @throws CancellationException if the thread is interrupted
  public void stream(String path, ObjectNode body, Consumer<JsonNode> events) {
    send(path, body.put("stream", true), lines -> read(lines.iterator(), events));
  }

  private void send(String path, ObjectNode body, Consumer<Stream<String>> reader) {
    var request =
        HttpRequest.newBuilder(uri.resolve(path))
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofString(body.toString()));
    if (key != null) {
      request.header("Authorization", "Bearer " + key);
    }
    try {
      var response = client.send(request.build(), BodyHandlers.ofLines());
      try (Stream<String> lines = response.body()) {
        if (response.statusCode() != 200) {
          throw refused(response, lines.limit(1000).collect(Collectors.joining("\n")));
        }
        reader.accept(lines);
      }
    } catch (InterruptedException e) {
      throw cancelled(e);
    } catch (ConnectException e) {
      throw new IllegalArgumentException(
          uri + ": no server answers there; start one with gatun serve, or mend --server", e);
    } catch (IOException | UncheckedIOException e) {
      if (Thread.interrupted()) {
        throw cancelled(e);
      }
      throw new IllegalArgumentException(
          "%s: the connection broke off: %s".formatted(uri, e.getMessage()), e);
    }
  }

  private JsonNode parse(String text) {
    try {
      return JSON.readTree(text);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(
          uri + ": answers, and not with JSON, as gatun serve does; mend --server", e);
    }
  }

  private static CancellationException cancelled(Exception cause) {
    var cancelled = new CancellationException("stopped");
    cancelled.initCause(cause);
    return cancelled;
  }

  private void read(Iterator<String> lines, Consumer<JsonNode> events) {
    while (lines.hasNext()) {
      String line = lines.next();
      if (line.equals("data: [DONE]")) {
        return;
      }
      if (line.startsWith("data: ")) {
        JsonNode event = parse(line.substring(6));
        if (event.has("error")) {
          throw new IllegalArgumentException(uri + ": " + event.at("/error/message").asText());
        }
        events.accept(event);
      }
    }
    throw new IllegalArgumentException(uri + ": the answer broke off; look at the server's log");
  }

  private IllegalArgumentException refused(HttpResponse<?> response, String body) {
    if (response.statusCode() == 401) {
      return new IllegalArgumentException(
          uri
              + (key == null
                  ? ": the server wants a key: name the file that it is in with --server-key"
                  : ": the server does not know the key in the file of --server-key"));
    }
    try {
      String message = JSON.readTree(body).at("/error/message").asText();
      if (!message.isEmpty()) {
        return new IllegalArgumentException(uri + ": " + message);
      }
    } catch (JsonProcessingException e) {
      // Another program's.
    }
    return new IllegalArgumentException(
        "%s: answered with status %d, and not as gatun serve does; mend --server"
            .formatted(uri, response.statusCode()));
  }

  @Override
  public void close() {
    client.shutdownNow();
  }
}
