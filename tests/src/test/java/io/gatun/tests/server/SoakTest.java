package io.gatun.tests.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.UnixOperatingSystemMXBean;
import io.gatun.tests.TestData;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.net.Socket;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.Isolated;

/// Sixteen clients that behave badly, for 10 seconds or as long as told:
///
/// `nice -n 19 mvn verify -Dtest=SoakTest -Dsurefire.failIfNoSpecifiedTests=false
/// -Dgatun.soak=1800`
///
/// They cancel answers, are killed, read them slowly, send what is no JSON or too much of it, break
/// connections off, and leave requests half sent. Every answer that one of them reads to its end
/// must be the one that the same request got before, when nothing else ran; and nothing may be held
/// of all that in the end.
@Isolated("tells what the process holds")
class SoakTest {
  private static final int SECONDS = Integer.getInteger("gatun.soak", 10);
  private static final long SEED = Long.getLong("gatun.soak.seed", System.nanoTime());
  private static final long SECONDS_OF_A_DAY = 24 * 60 * 60;
  private static final int CLIENTS = 16;
  private static final int HALF_OPEN = 8;
  private static final int BODY_LIMIT = 1 << 20;
  private static final Duration IDLE = Duration.ofSeconds(2);
  private static final String PATH = "/v1/chat/completions";

  /// The heap may be fuller by this at the end: classes, and what libraries keep.
  private static final long HEAP_BYTES = 24 << 20;

  /// The process may be larger by this at the end than after the first half: compiled code, and
  /// what the heap, which may have so much, has not given back.
  private static final long RESIDENT_BYTES = 160 << 20;

  /// A process that asks, to be killed while it is answered.
  private static final boolean HAS_CURL = hasCurl();

  private static final int DESCRIPTORS = 8;

  private final List<ObjectNode> requests = new ArrayList<>();
  private final List<String> answers = new ArrayList<>();
  private final Map<String, LongAdder> done = new ConcurrentSkipListMap<>();
  private TestServer server;
  private HttpClient http;
  private long end;

  @Test
  @Timeout(value = SECONDS_OF_A_DAY, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void nothingIsLostOrMixedUpOrHeld() throws Exception {
    try (var started =
        new TestServer(
            o ->
                o.model(TestData.pretrained("tiny-llm"))
                    .batchInvariant(true)
                    .kvMemory(32 << 20)
                    .bodyLimit(BODY_LIMIT)
                    .idle(IDLE))) {
      server = started;
      askAlone();
      run(2); // what is loaded once is there before anything is counted
      awaitIdle();
      var before = Held.now();
      run(SECONDS / 2);
      awaitIdle();
      var between = Held.now();
      run(SECONDS - SECONDS / 2);
      awaitIdle();
      var after = Held.now();
      System.out.printf("soak: %s, %s -> %s -> %s%n", done, before, between, after);
      assertTrue(after.resident <= between.resident + RESIDENT_BYTES, between + " -> " + after);
      assertTrue(after.descriptors <= before.descriptors + DESCRIPTORS, before + " -> " + after);
      assertTrue(after.heap <= before.heap + HEAP_BYTES, before + " -> " + after);
    }
  }

  /// What the process holds.
  ///
  /// @param resident bytes of memory that the process has, mapped files included; 0 where the
  ///   system does not say
  private record Held(long descriptors, long heap, long resident) {
    static Held now() throws IOException {
      System.gc();
      var system = (UnixOperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
      var memory = ManagementFactory.getMemoryMXBean();
      return new Held(
          system.getOpenFileDescriptorCount(),
          memory.getHeapMemoryUsage().getUsed(),
          residentBytes());
    }

    private static long residentBytes() throws IOException {
      var status = Path.of("/proc/self/status");
      if (!Files.exists(status)) {
        return 0;
      }
      try (var lines = Files.lines(status)) {
        String line = lines.filter(l -> l.startsWith("VmRSS:")).findFirst().orElseThrow();
        return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
      }
    }
  }

  private static boolean hasCurl() {
    try {
      return new ProcessBuilder("curl", "--version")
          .redirectErrorStream(true)
          .start()
          .waitFor(10, TimeUnit.SECONDS);
    } catch (IOException e) {
      return false;
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /// The answers of some requests while nothing else runs.
  private void askAlone() throws Exception {
    http = HttpClient.newHttpClient();
    for (int i = 0; i < 12; i++) {
      var request =
          TestServer.JSON
              .createObjectNode()
              .put("model", "tiny-llm")
              .put("temperature", i % 4 == 0 ? 0 : 0.9)
              .put("seed", i)
              .put("ignore_eos", true)
              .put("max_tokens", 4 + 12 * (i % 6))
              .put("stream", true);
      request
          .putArray("messages")
          .addObject()
          .put("role", "user")
          .put(
              "content",
              "Good morrow, my lord. ".repeat(1 + i % 4) + "What news of day " + i + "?");
      requests.add(request);
      answers.add(streamed(request, 0));
    }
    http.close();
    assertEquals(requests.size(), answers.stream().distinct().count());
  }

  private void run(int seconds) throws Exception {
    end = System.nanoTime() + seconds * 1_000_000_000L;
    var ended = new ArrayList<Future<?>>();
    try (var client = HttpClient.newHttpClient();
        var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      http = client;
      for (int i = 0; i < CLIENTS; i++) {
        var random = new Random(SEED + i);
        ended.add(threads.submit(() -> behave(random)));
      }
      for (var each : ended) {
        each.get();
      }
    } catch (ExecutionException e) {
      throw new AssertionError(
          "with -Dgatun.soak.seed=" + SEED + ": " + e.getCause(), e.getCause());
    }
  }

  private Void behave(Random random) throws Exception {
    var halfOpen = new ArrayList<Socket>();
    try {
      while (System.nanoTime() < end) {
        int i = random.nextInt(requests.size());
        String name =
            switch (random.nextInt(11)) {
              case 0, 1, 2 -> compare(i, streamed(requests.get(i), 0), "streams");
              case 3 -> compare(i, streamed(requests.get(i), 1 + random.nextInt(40)), "slow");
              case 4 -> compare(i, whole(requests.get(i).deepCopy()), "wholes");
              case 5 -> cancel(requests.get(i), random.nextInt(600));
              case 6 -> breakOff(requests.get(i), random);
              case 7 -> sendNoJson(requests.get(i).toString(), random);
              case 8 -> sendTooMuch(random.nextBoolean());
              case 9 -> HAS_CURL ? kill(requests.get(i), random) : cancel(requests.get(i), 0);
              default -> leaveHalfOpen(requests.get(i).toString(), halfOpen, random);
            };
        done.computeIfAbsent(name, _ -> new LongAdder()).increment();
      }
    } finally {
      for (var socket : halfOpen) {
        socket.close();
      }
    }
    return null;
  }

  private String compare(int request, String answer, String name) {
    assertEquals(answers.get(request), answer, requests.get(request)::toString);
    return name;
  }

  private HttpRequest.Builder post(String body) {
    return HttpRequest.newBuilder(server.uri(PATH))
        .timeout(Duration.ofSeconds(60))
        .POST(HttpRequest.BodyPublishers.ofString(body));
  }

  private HttpResponse<InputStream> open(ObjectNode request) throws Exception {
    var response = http.send(post(request.toString()).build(), BodyHandlers.ofInputStream());
    assertEquals(200, response.statusCode());
    return response;
  }

  /// The text of a stream whose events are read after so many milliseconds each.
  private String streamed(ObjectNode request, int pause) throws Exception {
    var text = new StringBuilder();
    boolean ended = false;
    var response = open(request);
    try (var lines = reader(response.body())) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.isEmpty()) {
          continue;
        }
        assertFalse(ended, line);
        ended = line.equals("data: [DONE]");
        if (!ended) {
          var choice = TestServer.json(line.substring("data: ".length())).at("/choices/0");
          assertTrue(choice.isObject(), line);
          text.append(choice.at("/delta/content").asText());
        }
        if (pause > 0) {
          Thread.sleep(pause);
        }
      }
    }
    assertTrue(ended, () -> "the stream ends after: " + text);
    return text.toString();
  }

  private String whole(ObjectNode request) throws Exception {
    request.put("stream", false);
    try (var body = open(request).body()) {
      return TestServer.JSON.readTree(body).at("/choices/0/message/content").asText();
    }
  }

  private static BufferedReader reader(InputStream in) {
    return new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
  }

  private String cancel(ObjectNode request, int bytes) throws Exception {
    try (var body = open(request).body()) {
      body.readNBytes(bytes);
    }
    return "cancels";
  }

  private Socket connect() throws IOException {
    var socket = new Socket(server.uri(PATH).getHost(), server.uri(PATH).getPort());
    socket.setSoTimeout(30_000);
    return socket;
  }

  private void send(Socket socket, String header, String body) throws IOException {
    String request =
        "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%s\r\n\r\n%s"
            .formatted(PATH, header, body);
    socket.getOutputStream().write(request.getBytes(StandardCharsets.UTF_8));
  }

  /// As when a client is killed: the connection is reset in the middle of the answer, or before it.
  private String breakOff(ObjectNode request, Random random) throws Exception {
    try (var socket = connect()) {
      String body = request.deepCopy().put("stream", random.nextBoolean()).toString();
      send(socket, "Content-Length: " + body.length(), body);
      if (random.nextBoolean()) {
        Thread.sleep(random.nextInt(50));
      }
      socket.setSoLinger(true, 0);
    }
    return "breaks";
  }

  /// A client that is a process, and killed (SIGKILL) before its answer or in the midst of it.
  private String kill(ObjectNode request, Random random) throws Exception {
    var client =
        new ProcessBuilder(
                "curl",
                "--silent",
                "--no-buffer",
                "--max-time",
                "60",
                "--data",
                request.toString(),
                "--header",
                "Content-Type: application/json",
                server.uri(PATH).toString())
            .redirectErrorStream(true)
            .start();
    try (var out = client.getInputStream()) {
      client.getOutputStream().close();
      out.readNBytes(random.nextInt(300));
      client.destroyForcibly();
      assertTrue(client.waitFor(30, TimeUnit.SECONDS));
    } finally {
      client.destroyForcibly();
    }
    return "kills";
  }

  private String sendNoJson(String body, Random random) throws Exception {
    String broken = body.substring(0, random.nextInt(body.length()));
    var response = http.send(post(broken).build(), BodyHandlers.ofString());
    assertEquals(400, response.statusCode(), response.body());
    assertTrue(TestServer.json(response.body()).path("error").has("message"), response.body());
    return "no JSON";
  }

  private String sendTooMuch(boolean announced) throws Exception {
    try (var socket = connect()) {
      if (announced) {
        send(socket, "Content-Length: " + 100 * BODY_LIMIT, "{");
      } else {
        send(socket, "Transfer-Encoding: chunked", "");
        String chunk = "%x\r\n%s\r\n".formatted(1 << 16, " ".repeat(1 << 16));
        try {
          for (int i = 0; i <= BODY_LIMIT >> 16; i++) {
            socket.getOutputStream().write(chunk.getBytes(StandardCharsets.US_ASCII));
          }
        } catch (IOException e) {
          return "too much"; // refused before it was sent
        }
      }
      String status;
      try {
        status = reader(socket.getInputStream()).readLine();
      } catch (IOException e) {
        return "too much"; // the rest of what was sent arrived after the refusal
      }
      assertTrue(status != null && status.startsWith("HTTP/1.1 413"), status);
    }
    return "too much";
  }

  /// Some of them; the server must have ended those that go.
  private String leaveHalfOpen(String body, List<Socket> halfOpen, Random random) throws Exception {
    var socket = connect();
    halfOpen.add(socket);
    if (random.nextBoolean()) {
      String part = body.substring(0, random.nextInt(body.length()));
      send(socket, "Content-Length: " + body.length(), part);
    } else {
      socket.getOutputStream().write("POST /v1/chat".getBytes(StandardCharsets.US_ASCII));
    }
    if (halfOpen.size() > HALF_OPEN) {
      try (var oldest = halfOpen.removeFirst()) {
        String answer = new String(oldest.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(answer.isEmpty() || answer.startsWith("HTTP/1.1 408"), answer);
      }
    }
    return "half open";
  }

  private void awaitIdle() throws InterruptedException {
    long deadline = System.nanoTime() + 20_000_000_000L;
    for (String busy = busy(); !busy.isEmpty(); busy = busy()) {
      String still = busy;
      assertTrue(System.nanoTime() < deadline, () -> "still busy: " + still + ", " + done);
      Thread.sleep(50);
    }
  }

  /// The lines of the metrics that say that something is being done.
  private String busy() {
    return server
        .get("/metrics")
        .body()
        .lines()
        .filter(
            line ->
                line.matches("gatun_(answers_(running|waiting|paused)|requests_running)\\{.* \\d+"))
        .filter(line -> !line.endsWith(" 0") && !line.contains("/metrics"))
        .toList()
        .toString()
        .replace("[]", "");
  }
}
