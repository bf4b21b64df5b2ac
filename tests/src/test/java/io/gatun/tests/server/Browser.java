package io.gatun.tests.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/// A Chromium without a window, driven over its DevTools protocol.
final class Browser implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final Process process;
  private final Path profile;
  private final HttpClient client = HttpClient.newHttpClient();
  private final WebSocket socket;
  private final Map<Integer, CompletableFuture<JsonNode>> waiting = new ConcurrentHashMap<>();
  private final AtomicInteger ids = new AtomicInteger();

  /// What went wrong on any page: exceptions, errors on the console, breaches of the policy.
  private final List<String> complaints = new ArrayList<>();

  private Browser(Path executable) throws Exception {
    profile = Files.createTempDirectory("gatun-browser");
    process =
        new ProcessBuilder(
                executable.toString(),
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--remote-debugging-port=0",
                "--user-data-dir=" + profile,
                "about:blank")
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    try {
      socket =
          client
              .newWebSocketBuilder()
              .buildAsync(address(process.errorReader()), new Listener())
              .get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    } catch (Exception e) {
      process.destroyForcibly();
      throw e;
    }
  }

  /// The browser of this machine; where there is none the calling test is skipped.
  static Browser start() throws Exception {
    Path found =
        Stream.of(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator))
            .flatMap(
                folder ->
                    Stream.of("chromium", "chromium-browser", "google-chrome")
                        .map(n -> Path.of(folder, n)))
            .filter(Files::isExecutable)
            .findFirst()
            .orElse(null);
    assumeTrue(found != null, "no Chromium on the PATH (apt install chromium)");
    return new Browser(found);
  }

  private static URI address(BufferedReader errors) throws Exception {
    var found = new CompletableFuture<URI>();
    Thread.ofVirtual()
        .start(
            () -> {
              // Read to the end, or the browser would wait when the pipe is full.
              try (errors) {
                for (String line = errors.readLine(); line != null; line = errors.readLine()) {
                  if (line.startsWith("DevTools listening on ")) {
                    found.complete(URI.create(line.substring("DevTools listening on ".length())));
                  }
                }
                found.completeExceptionally(new IOException("the browser ended"));
              } catch (IOException e) {
                found.completeExceptionally(e);
              }
            });
    return found.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
  }

  private final class Listener implements WebSocket.Listener {
    private final StringBuilder text = new StringBuilder();

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
      text.append(data);
      if (last) {
        try {
          receive(JSON.readTree(text.toString()));
        } catch (IOException e) {
          complain(e.toString());
        }
        text.setLength(0);
      }
      socket.request(1);
      return null;
    }
  }

  private void receive(JsonNode message) {
    if (message.has("id")) {
      waiting.remove(message.get("id").asInt()).complete(message);
      return;
    }
    var params = message.path("params");
    switch (message.path("method").asText()) {
      case "Runtime.exceptionThrown" -> complain(params.at("/exceptionDetails").toString());
      case "Runtime.consoleAPICalled" -> {
        if (params.path("type").asText().equals("error")) {
          complain(params.path("args").toString());
        }
      }
      case "Log.entryAdded" -> {
        var entry = params.path("entry");
        // That a request was refused is what some tests are about.
        if (entry.path("level").asText().equals("error")
            && !entry.path("source").asText().equals("network")) {
          complain(entry.path("text").asText());
        }
      }
      default -> {}
    }
  }

  private void complain(String what) {
    synchronized (complaints) {
      complaints.add(what);
    }
  }

  void assertNoComplaints() {
    synchronized (complaints) {
      assertEquals(List.of(), complaints);
    }
  }

  private JsonNode send(String session, String method, ObjectNode params) throws Exception {
    int id = ids.incrementAndGet();
    var answer = new CompletableFuture<JsonNode>();
    waiting.put(id, answer);
    var message = JSON.createObjectNode().put("id", id).put("method", method);
    message.set("params", params);
    if (session != null) {
      message.put("sessionId", session);
    }
    synchronized (socket) {
      socket.sendText(message.toString(), true).join();
    }
    var found = answer.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    if (found.has("error")) {
      throw new IllegalStateException(method + ": " + found.get("error"));
    }
    return found.get("result");
  }

  /// A page with a memory of its own.
  Page open(URI address) throws Exception {
    var context =
        send(null, "Target.createBrowserContext", params()).get("browserContextId").asText();
    var target =
        send(
                null,
                "Target.createTarget",
                params().put("url", "about:blank").put("browserContextId", context))
            .get("targetId");
    var session =
        send(
                null,
                "Target.attachToTarget",
                params().put("targetId", target.asText()).put("flatten", true))
            .get("sessionId");
    var page = new Page(session.asText());
    for (String domain : List.of("Page", "Runtime", "Log", "DOM")) {
      page.send(domain + ".enable", params());
    }
    page.go(address);
    return page;
  }

  private static ObjectNode params() {
    return JSON.createObjectNode();
  }

  final class Page {
    private final String session;

    private Page(String session) {
      this.session = session;
    }

    private JsonNode send(String method, ObjectNode params) throws Exception {
      return Browser.this.send(session, method, params);
    }

    void go(URI address) throws Exception {
      send("Page.navigate", params().put("url", address.toString()));
      waitFor("location.href.startsWith('" + address + "') && document.readyState === 'complete'");
    }

    /// The value of an expression, which may be a promise.
    JsonNode value(String expression) throws Exception {
      var found =
          send(
              "Runtime.evaluate",
              params()
                  .put("expression", expression)
                  .put("awaitPromise", true)
                  .put("returnByValue", true));
      if (found.has("exceptionDetails")) {
        throw new IllegalStateException(expression + ": " + found.get("exceptionDetails"));
      }
      return found.path("result").path("value");
    }

    String text(String selector) throws Exception {
      return value("document.querySelector('%s').textContent".formatted(selector)).asText();
    }

    /// Waits until an expression is true.
    void waitFor(String expression) throws Exception {
      long end = System.nanoTime() + PATIENCE.toNanos();
      while (!value("Promise.resolve(" + expression + ").then(Boolean)").asBoolean()) {
        if (System.nanoTime() > end) {
          throw new TimeoutException(
              expression
                  + " is not so after "
                  + PATIENCE
                  + "\n"
                  + value("document.body.innerText").asText());
        }
        Thread.sleep(20);
      }
    }

    void type(String text) throws Exception {
      send("Input.insertText", params().put("text", text));
    }

    /// Presses a key: its name in `KeyboardEvent.key`.
    ///
    /// @param modifiers 8 for Shift
    void press(String key, int modifiers) throws Exception {
      int code =
          switch (key) {
            case "Enter" -> 13;
            case "Escape" -> 27;
            case "Tab" -> 9;
            case "ArrowLeft" -> 37;
            case "ArrowUp" -> 38;
            case "ArrowRight" -> 39;
            case "ArrowDown" -> 40;
            default -> throw new IllegalArgumentException(key);
          };
      var down =
          params()
              .put("type", "keyDown")
              .put("key", key)
              .put("code", key)
              .put("windowsVirtualKeyCode", code)
              .put("modifiers", modifiers);
      if (key.equals("Enter")) {
        down.put("text", "\r");
      }
      send("Input.dispatchKeyEvent", down);
      send("Input.dispatchKeyEvent", down.deepCopy().put("type", "keyUp"));
    }

    void press(String key) throws Exception {
      press(key, 0);
    }

    void click(String selector) throws Exception {
      value("document.querySelector('%s').scrollIntoView({block: 'nearest'})".formatted(selector));
      var at =
          value(
              "(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector('%s').getBoundingClientRect())"
                  .formatted(selector));
      mouse("mousePressed", at.get(0).asDouble(), at.get(1).asDouble(), 0);
      mouse("mouseReleased", at.get(0).asDouble(), at.get(1).asDouble(), 0);
    }

    void mouse(String type, double x, double y, int modifiers) throws Exception {
      send(
          "Input.dispatchMouseEvent",
          params()
              .put("type", type)
              .put("x", x)
              .put("y", y)
              .put("button", "left")
              .put("buttons", 1)
              .put("clickCount", 1)
              .put("modifiers", modifiers));
    }

    /// Chooses a file in a file field.
    void choose(String selector, Path file) throws Exception {
      var root = send("DOM.getDocument", params()).at("/root/nodeId").asInt();
      int node =
          send("DOM.querySelector", params().put("nodeId", root).put("selector", selector))
              .get("nodeId")
              .asInt();
      var params = params().put("nodeId", node);
      params.putArray("files").add(file.toAbsolutePath().toString());
      send("DOM.setFileInputFiles", params);
    }

    void size(int width, int height) throws Exception {
      send(
          "Emulation.setDeviceMetricsOverride",
          params()
              .put("width", width)
              .put("height", height)
              .put("deviceScaleFactor", 1)
              .put("mobile", width < 600));
    }
  }

  @Override
  public void close() throws IOException {
    try {
      send(null, "Browser.close", params());
      process.waitFor(5, TimeUnit.SECONDS);
    } catch (Exception e) {
      // It is ended in another way.
    } finally {
      process.destroyForcibly().onExit().join();
      client.close();
      try (var files = Files.walk(profile)) {
        for (Path file : (Iterable<Path>) files.sorted(Comparator.reverseOrder())::iterator) {
          Files.deleteIfExists(file);
        }
      }
    }
  }
}
