package io.gatun.tests.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.server.Server;
import io.gatun.server.ServerOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// A server in this process, at a port of its own, and what asks it.
public final class TestServer implements AutoCloseable {
  static final ObjectMapper JSON = new ObjectMapper();

  private final Server server;
  private final HttpClient client =
      HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();

  TestServer(Consumer<ServerOptions> choose) {
    server = Server.start(o -> choose.accept(o.threads(2)));
  }

  Server server() {
    return server;
  }

  URI uri(String path) {
    return server.uri().resolve(path);
  }

  private HttpRequest.Builder request(String path, String... headers) {
    var request = HttpRequest.newBuilder(uri(path)).timeout(Duration.ofSeconds(60));
    for (int i = 0; i < headers.length; i += 2) {
      request.header(headers[i], headers[i + 1]);
    }
    return request;
  }

  private HttpResponse<String> send(HttpRequest request) {
    try {
      return client.send(request, BodyHandlers.ofString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  HttpResponse<String> get(String path, String... headers) {
    return send(request(path, headers).GET().build());
  }

  HttpResponse<String> post(String path, String body, String... headers) {
    return post(path, HttpRequest.BodyPublishers.ofString(body), headers);
  }

  HttpResponse<String> post(String path, HttpRequest.BodyPublisher body, String... headers) {
    return send(request(path, headers).POST(body).build());
  }

  /// The answer to JSON with single quotes.
  JsonNode ask(String path, String body) {
    var response = post(path, body.replace('\'', '"'));
    if (response.statusCode() != 200) {
      throw new AssertionError(response.statusCode() + " " + response.body());
    }
    return json(response.body());
  }

  /// What a request is refused with.
  JsonNode refusal(int status, String path, String body) {
    var response = post(path, body.replace('\'', '"'));
    if (response.statusCode() != status) {
      throw new AssertionError(response.statusCode() + " " + response.body());
    }
    return json(response.body()).path("error");
  }

  /// The events of a stream, without the one that ends it.
  List<JsonNode> events(String path, String body) {
    var response = post(path, body.replace('\'', '"'));
    var events = new ArrayList<JsonNode>();
    boolean done = false;
    for (String line : response.body().strip().split("\n\n", -1)) {
      if (done || !line.startsWith("data: ")) {
        throw new AssertionError(response.body());
      }
      done = line.equals("data: [DONE]");
      if (!done) {
        events.add(json(line.substring(6)));
      }
    }
    if (!done) {
      throw new AssertionError(response.body());
    }
    return events;
  }

  static JsonNode json(String text) {
    try {
      return JSON.readTree(text);
    } catch (IOException e) {
      throw new AssertionError(text, e);
    }
  }

  @Override
  public void close() {
    client.close();
    server.close();
  }
}
