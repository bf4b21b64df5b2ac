package io.gatun.tests.server;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.server.Server;
import io.gatun.server.ServerOptions;
import io.gatun.tests.TestData;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Who may ask, what is refused and how, and what becomes of answers that nobody waits for.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ServerTest {
  private static final String PATH = "/v1/completions";
  private static final int LONG = 480;
  private static final String LONG_ANSWER =
      "{\"prompt\": \"ROMEO:\", \"max_tokens\": " + LONG + ", \"ignore_eos\": true";

  private static TestServer server(Consumer<ServerOptions> o) {
    return new TestServer(
        options -> o.accept(options.model(TestData.pretrained("tiny-llm")).parallel(2)));
  }

  /// The first line of what is answered to bytes that a proper client would not send.
  private static String raw(TestServer server, String request) {
    try (var socket =
        new Socket(InetAddress.getLoopbackAddress(), server.server().uri().getPort())) {
      socket.setSoTimeout(30_000);
      socket.getOutputStream().write(request.getBytes(UTF_8));
      return new String(socket.getInputStream().readAllBytes(), UTF_8).split("\r\n", 2)[0];
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String get(String headers) {
    return "GET /v1/models HTTP/1.1\r\nConnection: close\r\n" + headers + "\r\n";
  }

  @Test
  void othersNamesAndPagesAreRefused() {
    try (var server = server(o -> o.hostName("gatun.example"))) {
      String good = "HTTP/1.1 200 OK";
      String bad = "HTTP/1.1 403 Forbidden";
      int port = server.server().uri().getPort();
      String own = "Host: localhost:" + port + "\r\n";
      assertEquals(good, raw(server, get(own)));
      assertEquals(good, raw(server, get("Host: 127.0.0.1\r\n")));
      assertEquals(good, raw(server, get("Host: GATUN.example:" + port + "\r\n")));
      assertEquals(bad, raw(server, get("Host: evil.example\r\n")));
      assertEquals(bad, raw(server, get("Host: localhost.evil.example:" + port + "\r\n")));
      assertEquals(good, raw(server, get(own + "Origin: http://localhost:" + port + "\r\n")));
      assertEquals(good, raw(server, get(own + "Origin: https://localhost:" + port + "\r\n")));
      for (String origin : new String[] {"http://evil.example", "null", "http://localhost:1"}) {
        assertEquals(bad, raw(server, get(own + "Origin: " + origin + "\r\n")), origin);
      }
      assertEquals(bad, raw(server, get(own + "Sec-Fetch-Site: cross-site\r\n")));
      var answer = server.get("/v1/models");
      assertTrue(answer.headers().firstValue("Access-Control-Allow-Origin").isEmpty());
    }
  }

  @Test
  void aKeyIsNeededWhereThereIsOne() {
    try (var server = server(o -> o.apiKey("correct horse"))) {
      assertEquals(200, server.get("/health").statusCode());
      for (String path : new String[] {"/v1/models", "/metrics", "/tokenizer_info"}) {
        assertEquals(401, server.get(path).statusCode(), path);
      }
      var refused = server.post(PATH, "{}", "Authorization", "Bearer correct hors");
      assertEquals(401, refused.statusCode());
      assertEquals("Bearer", refused.headers().firstValue("WWW-Authenticate").orElse(""));
      assertEquals("invalid_api_key", TestServer.json(refused.body()).at("/error/code").asText());
      assertEquals(
          200, server.get("/v1/models", "Authorization", "Bearer correct horse").statusCode());
    }
    assertThrows(
        IllegalArgumentException.class,
        () -> Server.start(o -> o.model(TestData.pretrained("tiny-llm")).host("0.0.0.0")).close());
  }

  @Test
  void bodiesAndPathsThatMakeNoSense() {
    try (var server = server(o -> o.bodyLimit(2000))) {
      String large = "{\"prompt\": \"" + "a".repeat(3000) + "\"}";
      assertEquals(413, server.post(PATH, large).statusCode());
      var chunked =
          BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(large.getBytes(UTF_8)));
      assertEquals(413, server.post(PATH, chunked).statusCode());
      for (String body :
          new String[] {"", "{", "[]", "\"a\"", "{\"prompt\": \"a\"} x", "[".repeat(900)}) {
        var answer = server.post(PATH, body);
        assertEquals(400, answer.statusCode(), body);
        assertTrue(TestServer.json(answer.body()).at("/error/message").isTextual(), body);
      }
      for (String text : new String[] {"\\ud83d", "\\ude00\\ud83d"}) {
        var half = server.post(PATH, "{\"prompt\": [\"a\", \"" + text + "\"]}");
        assertEquals(400, half.statusCode(), half.body());
      }
      var whole = server.post(PATH, "{\"prompt\": \"\\ud83d\\ude00\", \"max_tokens\": 1}");
      assertEquals(200, whole.statusCode(), whole.body());
      var infinite = server.post(PATH, "{\"temperature\": NaN}").body();
      assertTrue(infinite.contains("NaN") && !infinite.contains("enable"), infinite);
      var twice = server.post(PATH, "{\"prompt\": \"a\", \"prompt\": \"b\"}");
      assertEquals(400, twice.statusCode());
      var wrong = server.get(PATH);
      assertEquals(405, wrong.statusCode());
      assertEquals("POST", wrong.headers().firstValue("Allow").orElse(""));
      assertEquals("nosniff", wrong.headers().firstValue("X-Content-Type-Options").orElse(""));
      for (String path :
          new String[] {"/v1/nothing", "/..%2f..%2fetc/passwd", "/models/x.gguf", "/v1"}) {
        var answer = server.get(path);
        assertTrue(answer.statusCode() == 404 || answer.statusCode() == 400, path);
        assertTrue(TestServer.json(answer.body()).has("error"), path);
      }
    }
  }

  private static double metric(TestServer server, String name) {
    String text = server.get("/metrics").body();
    var line = Pattern.compile("(?m)^" + name + "\\{[^}]*\\} (\\S+)$").matcher(text);
    assertTrue(line.find(), text);
    return Double.parseDouble(line.group(1));
  }

  @Test
  void languageModelsComputeOnTheSameThreads() {
    long before = workers();
    try (var server = server(o -> o.model("other", TestData.pretrained("tiny-llm")))) {
      String ask = "{'model': '%s', 'prompt': 'ROMEO:', 'max_tokens': 4, 'temperature': 0}";
      var first = server.ask(PATH, ask.formatted("tiny-llm"));
      var second = server.ask(PATH, ask.formatted("other"));
      assertEquals(first.at("/choices/0/text"), second.at("/choices/0/text"));
      assertEquals(before + 1, workers()); // of the two that compute one is the engine's own
    }
  }

  private static long workers() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().matches("gatun-\\d+"))
        .count();
  }

  @Test
  void aFullQueueSaysWhenToComeBack() throws Exception {
    try (var server = server(o -> o.parallel(1).queue(1));
        var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      server.post(PATH, "{\"prompt\": \"a\"}"); // loads the model
      var asked = new ArrayList<Future<HttpResponse<String>>>();
      for (int i = 0; i < 8; i++) {
        asked.add(threads.submit(() -> server.post(PATH, LONG_ANSWER + "}")));
      }
      int refused = 0;
      int answered = 0;
      for (var each : asked) {
        var answer = each.get();
        if (answer.statusCode() == 429) {
          refused++;
          assertEquals("1", answer.headers().firstValue("Retry-After").orElse(""));
          assertEquals("queue_full", TestServer.json(answer.body()).at("/error/code").asText());
        } else {
          answered++;
          assertEquals(200, answer.statusCode(), answer.body());
        }
      }
      assertTrue(refused > 0 && answered > 0, refused + " refused");
    }
  }

  @Test
  void anAnswerEndsWhenItsClientGoes() throws Exception {
    try (var server = server(o -> {})) {
      server.post(PATH, "{\"prompt\": \"a\", \"max_tokens\": 1}");
      for (String how : new String[] {", \"stream\": true}", "}"}) {
        double before = metric(server, "gatun_answer_tokens_total");
        String body = LONG_ANSWER + how;
        try (var socket =
            new Socket(InetAddress.getLoopbackAddress(), server.server().uri().getPort())) {
          String head =
              "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
                  .formatted(PATH, body.length());
          socket.getOutputStream().write((head + body).getBytes(UTF_8));
          await(() -> metric(server, "gatun_answer_tokens_total") > before);
        }
        await(() -> metric(server, "gatun_answers_running") == 0);
        double written = metric(server, "gatun_answer_tokens_total") - before;
        assertTrue(written < LONG, written + " tokens were written for nobody" + how);
      }
    }
  }

  private static void await(Callable<Boolean> condition) throws Exception {
    for (int i = 0; i < 10_000 && !condition.call(); i++) {
      Thread.sleep(1);
    }
    assertTrue(condition.call());
  }

  @Test
  void answersThatAreBeingWrittenAreFinished() throws Exception {
    try (var server = server(o -> {});
        var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      int port = server.server().uri().getPort();
      server.post(PATH, "{\"prompt\": \"a\", \"max_tokens\": 1}");
      var answer = threads.submit(() -> server.post(PATH, LONG_ANSWER + "}"));
      await(() -> metric(server, "gatun_answers_running") == 1);
      assertTrue(server.server().drain(Duration.ofSeconds(30)));
      assertEquals(200, answer.get().statusCode());
      assertEquals(
          LONG, TestServer.json(answer.get().body()).at("/usage/completion_tokens").asInt());
      assertThrows(
          ConnectException.class, () -> new Socket(InetAddress.getLoopbackAddress(), port).close());
    }
  }
}
