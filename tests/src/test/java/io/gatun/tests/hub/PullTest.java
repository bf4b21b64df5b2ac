package io.gatun.tests.hub;

import static io.gatun.tests.hub.FakeHub.hash;
import static io.gatun.tests.hub.FakeHub.status;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.hub.Hub;
import io.gatun.loaders.hub.HubOptions;
import io.gatun.loaders.hub.HubProgress;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Fetching from a hub, with all that can go wrong on the way.
class PullTest {
  private static final String NAME = "org/model";
  private static final String FILE = "model.safetensors";

  private final FakeHub hub = new FakeHub();
  private final byte[] weights = random(300_000, 1);
  @TempDir private Path cache;

  @AfterEach
  void close() {
    hub.close();
  }

  private static byte[] random(int size, int seed) {
    byte[] bytes = new byte[size];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  private Map<String, byte[]> files(Object... pathsAndContents) {
    var files = new LinkedHashMap<String, byte[]>();
    for (int i = 0; i < pathsAndContents.length; i += 2) {
      Object contents = pathsAndContents[i + 1];
      files.put(
          (String) pathsAndContents[i],
          contents instanceof String text ? text.getBytes(UTF_8) : (byte[]) contents);
    }
    return files;
  }

  private String commitModel() {
    return hub.commit(
        NAME,
        files(
            "README.md",
            "# A model",
            "config.json",
            "{}",
            "empty/none.txt",
            "",
            FILE,
            weights,
            "onnx/model.onnx",
            "x",
            "pytorch_model.bin",
            random(50, 2),
            "tf_model.h5",
            "x",
            "tokenizer.json",
            "{\"version\": 1}"));
  }

  private Path pull(String name) {
    return Hub.pull(name, this::choose);
  }

  private void choose(HubOptions o) {
    o.cache(cache)
        .endpoint(hub.endpoint())
        .token("hf_secret")
        .pause(Duration.ofMillis(1))
        .timeout(Duration.ofSeconds(20));
  }

  private Path blobs() {
    return cache.resolve("models--org--model/blobs");
  }

  private List<String> tree() throws IOException {
    try (Stream<Path> files = Files.walk(cache)) {
      return files
          .filter(f -> !Files.isDirectory(f))
          .map(f -> cache.relativize(f).toString())
          .sorted()
          .toList();
    }
  }

  @Test
  void aModelComesAsHuggingFacesLibraryWouldKeepIt() throws IOException {
    String commit = commitModel();
    hub.page = 3;
    Path folder = pull(NAME);

    assertEquals(cache.resolve("models--org--model/snapshots/" + commit), folder);
    assertArrayEquals(weights, Files.readAllBytes(folder.resolve(FILE)));
    assertEquals(
        Path.of("../../blobs", hash(FILE, weights)), Files.readSymbolicLink(folder.resolve(FILE)));
    String config = hash("config.json", "{}".getBytes(UTF_8));
    String tokenizer = hash("tokenizer.json", "{\"version\": 1}".getBytes(UTF_8));
    String sum = hash(FILE, weights);
    assertEquals(
        Stream.of(
                "CACHEDIR.TAG",
                ".locks/models--org--model/" + config + ".lock",
                ".locks/models--org--model/" + sum + ".lock",
                ".locks/models--org--model/" + tokenizer + ".lock",
                "models--org--model/blobs/" + config,
                "models--org--model/blobs/" + sum,
                "models--org--model/blobs/" + tokenizer,
                "models--org--model/refs/main",
                "models--org--model/snapshots/" + commit + "/config.json",
                "models--org--model/snapshots/" + commit + "/model.safetensors",
                "models--org--model/snapshots/" + commit + "/tokenizer.json")
            .sorted()
            .toList(),
        tree());
    assertEquals(commit, Files.readString(cache.resolve("models--org--model/refs/main")));
  }

  @Test
  void theTokenGoesToTheHubAlone() throws IOException {
    commitModel();
    pull(NAME);
    assertEquals(1, hub.asked.stream().filter(a -> a.server().equals("store")).count());
    for (var asked : hub.asked) {
      assertEquals(asked.server().equals("hub") ? "Bearer hf_secret" : null, asked.token());
    }
  }

  @Test
  void whatIsThereIsOpenedWithoutTheNetwork() throws IOException {
    commitModel();
    Path folder = pull(NAME);
    hub.asked.clear();
    assertEquals(folder, Hub.open(NAME, this::choose));
    assertTrue(hub.asked.isEmpty());
  }

  @Test
  void aNewCommitFetchesOnlyWhatChanged() throws IOException {
    commitModel();
    Path before = pull(NAME);
    hub.commit(NAME, files("config.json", "{\"a\": 1}", FILE, weights));
    hub.asked.clear();
    Path after = pull(NAME);
    assertNotEquals(before, after);
    assertEquals("{\"a\": 1}", Files.readString(after.resolve("config.json")));
    assertArrayEquals(weights, Files.readAllBytes(after.resolve(FILE)));
    assertEquals(0, hub.asked(FILE));
    assertEquals(Optional.of(after), Hub.find(NAME, this::choose));
  }

  @Test
  void withoutLinksTheFilesLieInTheSnapshot() throws IOException {
    commitModel();
    Path folder =
        Hub.pull(
            NAME,
            o -> {
              choose(o);
              o.links(false);
            });
    assertFalse(Files.isSymbolicLink(folder.resolve(FILE)));
    assertArrayEquals(weights, Files.readAllBytes(folder.resolve(FILE)));
    hub.asked.clear();
    pull(NAME);
    assertEquals(0, hub.asked(FILE));
  }

  @Test
  void aCutConnectionGoesOnFromThere() throws IOException {
    commitModel();
    hub.storeTrouble(FILE, hub.cut(weights, 100_000), hub.cut(weights, 50_000));
    assertArrayEquals(weights, Files.readAllBytes(pull(NAME).resolve(FILE)));
    assertTrue(hub.asked.stream().anyMatch(a -> "bytes=100000-".equals(a.range())));
    assertTrue(hub.asked.stream().anyMatch(a -> "bytes=150000-".equals(a.range())));
  }

  @Test
  void aServerWithoutRangesBeginsAgain() throws IOException {
    commitModel();
    hub.ranges = false;
    hub.storeTrouble(FILE, hub.cut(weights, 100_000), hub.cut(weights, 150_000));
    assertArrayEquals(weights, Files.readAllBytes(pull(NAME).resolve(FILE)));
  }

  @Test
  void whatAnEarlierProcessLeftIsUsedUnlessItIsDamaged() throws IOException {
    commitModel();
    String sum = hash(FILE, weights);
    Files.createDirectories(blobs());
    byte[] begun = java.util.Arrays.copyOf(weights, 200_000);
    Files.write(blobs().resolve(sum + ".incomplete"), begun);
    var progress = new ArrayList<Long>();
    Path folder =
        Hub.pull(
            NAME,
            o -> {
              choose(o);
              o.progress(
                  new HubProgress() {
                    @Override
                    public void begin(String name, int files, long bytes, long there) {
                      progress.add(there);
                    }
                  });
            });
    assertArrayEquals(weights, Files.readAllBytes(folder.resolve(FILE)));
    assertEquals(List.of(200_000L), progress);
    assertTrue(hub.asked.stream().anyMatch(a -> "bytes=200000-".equals(a.range())));

    Files.delete(blobs().resolve(sum));
    begun[7]++;
    Files.write(blobs().resolve(sum + ".incomplete"), begun);
    assertArrayEquals(weights, Files.readAllBytes(pull(NAME).resolve(FILE)));

    Files.delete(blobs().resolve(sum));
    Files.write(blobs().resolve(sum + ".incomplete"), random(400_000, 3));
    assertArrayEquals(weights, Files.readAllBytes(pull(NAME).resolve(FILE)));
    assertFalse(Files.exists(blobs().resolve(sum + ".incomplete")));
  }

  /// As a system may leave it that lost its power.
  @Test
  void contentsThatAreCutAreFetchedAgain() throws IOException {
    commitModel();
    Path blob = blobs().resolve(hash(FILE, weights));
    Path file = pull(NAME).resolve(FILE);
    Files.write(blob, java.util.Arrays.copyOf(weights, 1000));
    assertArrayEquals(weights, Files.readAllBytes(pull(NAME).resolve(FILE)));
    assertTrue(Files.isSymbolicLink(file));
  }

  /// Pulls, and is refused; nothing has the weights' name then.
  private String refusal() throws IOException {
    String message = refusal(NAME);
    assertFalse(Files.exists(blobs().resolve(hash(FILE, weights))));
    assertEquals(Optional.empty(), Hub.find(NAME, this::choose));
    return message;
  }

  private String refusal(String name) {
    return assertThrows(CheckpointException.class, () -> pull(name)).getMessage();
  }

  private static void assertContains(String text, Object... parts) {
    for (Object part : parts) {
      assertTrue(text.contains(part.toString()), () -> "no \"" + part + "\" in: " + text);
    }
  }

  private FakeHub.Trouble instead(byte[] other) {
    return exchange -> {
      hub.give(exchange, other, Integer.MAX_VALUE);
      return true;
    };
  }

  @Test
  void otherBytesAreRefusedAndNothingIsKept() throws IOException {
    commitModel();
    byte[] other = weights.clone();
    other[12345]++;
    hub.storeTrouble(FILE, instead(other));
    assertContains(refusal(), "org/model", FILE, "hash", hash(FILE, weights));
    assertFalse(Files.exists(blobs().resolve(hash(FILE, weights) + ".incomplete")));
    assertArrayEquals(weights, Files.readAllBytes(pull(NAME).resolve(FILE)));
  }

  @Test
  void smallFilesAreVerifiedToo() throws IOException {
    commitModel();
    hub.trouble(
        "config.json",
        exchange -> {
          hub.give(exchange, "[]".getBytes(UTF_8), 2);
          return true;
        });
    assertContains(refusal(), "config.json", "hash");
  }

  @Test
  void anotherSizeIsRefused() throws IOException {
    commitModel();
    hub.storeTrouble(FILE, instead(random(300_001, 1)));
    assertContains(refusal(), FILE, "300,000", "300,001");
  }

  @Test
  void endlessBytesAreRefused() throws IOException {
    commitModel();
    FakeHub.Trouble endless =
        exchange -> {
          exchange.sendResponseHeaders(200, 0); // in chunks
          exchange.getResponseBody().write(new byte[400_000]);
          return true;
        };
    hub.storeTrouble(FILE, endless);
    assertContains(refusal(), FILE, "300,000", "more");
  }

  @Test
  void aServerThatStallsIsTriedAgain() throws IOException {
    commitModel();
    FakeHub.Trouble stall =
        exchange -> {
          exchange.sendResponseHeaders(200, weights.length);
          exchange.getResponseBody().write(weights, 0, 1000);
          exchange.getResponseBody().flush();
          try {
            Thread.sleep(60_000);
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
          return true;
        };
    hub.storeTrouble(FILE, stall);
    Path folder =
        Hub.pull(
            NAME,
            o -> {
              choose(o);
              o.timeout(Duration.ofMillis(700));
            });
    assertArrayEquals(weights, Files.readAllBytes(folder.resolve(FILE)));
  }

  @Test
  void busyServersAreAskedAgain() throws IOException {
    commitModel();
    hub.trouble("/revision/main", status(429, "Retry-After", "0"), status(503));
    hub.trouble(FILE, status(500));
    hub.storeTrouble(FILE, status(429, "Retry-After", "Mon, 01 Jan 2024 00:00:00 GMT"));
    var notes = new ArrayList<String>();
    Consumer<HubOptions> noted =
        o -> {
          choose(o);
          o.progress(
              new HubProgress() {
                @Override
                public void note(String line) {
                  notes.add(line);
                }
              });
        };
    assertArrayEquals(weights, Files.readAllBytes(Hub.pull(NAME, noted).resolve(FILE)));
    assertEquals(4, notes.size());
    assertContains(notes.toString(), "429", "503", "500");
  }

  @Test
  void refusalsSayWhatToDo() throws IOException {
    commitModel();
    var said = new LinkedHashMap<FakeHub.Trouble, List<String>>();
    said.put(
        status(403, "X-Error-Code", "GatedRepo"),
        List.of("org/model", "gated", hub.endpoint() + "/org/model", "HF_TOKEN"));
    said.put(status(401, "X-Error-Code", "RepoNotFound"), List.of("no such model", "private"));
    said.put(status(404), List.of("no such model"));
    said.put(
        status(401, "X-Error-Message", "Invalid credentials in Authorization header"),
        List.of("does not know the token"));
    said.put(
        status(403, "X-Error-Message", "Payment required"), List.of("Payment required", "refused"));
    said.put(status(429, "Retry-After", "4000"), List.of("too many requests", "4000 s"));
    for (var e : said.entrySet()) {
      hub.trouble("/revision/main", e.getKey());
      assertContains(refusal(), e.getValue().toArray());
    }
    for (int i = 0; i < 6; i++) {
      hub.trouble("/revision/main", status(502));
    }
    assertContains(refusal(), "502", "later");
    assertContains(refusal("org/model@v9"), "no revision \"v9\"");
    assertContains(refusal("org/other"), "no such model");
  }

  @Test
  void namesThatLeadElsewhereAreRefused() throws IOException {
    for (String path :
        List.of("../../evil.gguf", "a/../../evil.gguf", "/evil.gguf", "a\\b.gguf", "c:evil.gguf")) {
      hub.commit("org/evil", files(path, weights));
      assertContains(refusal("org/evil"), "plain names");
    }
    hub.commit(
        "org/evil",
        files(
            "model.safetensors.index.json",
            "{\"weight_map\": {\"a\": \"../../../x.safetensors\"}}"));
    refusal("org/evil");
    for (String name :
        List.of("org/..", "../model", "org/model@../../x", "org/a--b", "org/model:../x", "model")) {
      refusal(name);
    }
    assertTrue(tree().stream().noneMatch(f -> f.endsWith(".gguf") || f.endsWith("x.safetensors")));
    assertFalse(Files.exists(cache.resolveSibling("evil.gguf")));
  }

  @Test
  void anOfflineHubGivesWhatIsThere() throws IOException {
    commitModel();
    Consumer<HubOptions> offline =
        o -> {
          choose(o);
          o.offline(true);
        };
    String refused =
        assertThrows(CheckpointException.class, () -> Hub.pull(NAME, offline)).getMessage();
    assertContains(refused, "HF_HUB_OFFLINE");
    Path folder = pull(NAME);
    hub.asked.clear();
    assertEquals(folder, Hub.pull(NAME, offline));
    assertTrue(hub.asked.isEmpty());
  }

  @Test
  void manyAtOnceFetchOnce() throws Exception {
    commitModel();
    try (var threads = Executors.newFixedThreadPool(8)) {
      var pulls = new ArrayList<Future<Path>>();
      for (int i = 0; i < 8; i++) {
        pulls.add(threads.submit(() -> pull(NAME)));
      }
      for (var pulled : pulls) {
        assertArrayEquals(weights, Files.readAllBytes(pulled.get().resolve(FILE)));
      }
    }
    assertEquals(1, hub.asked.stream().filter(a -> a.server().equals("store")).count());
  }

  /// A path that is wrong may look like a name: that is said soon.
  @Test
  void withoutANetworkItEndsSoon() {
    var notes = new ArrayList<String>();
    var refusal =
        assertThrows(
            CheckpointException.class,
            () ->
                Hub.pull(
                    NAME,
                    o ->
                        o.cache(cache)
                            .endpoint(URI.create("http://hub.invalid"))
                            .pause(Duration.ofMillis(1))
                            .progress(
                                new HubProgress() {
                                  @Override
                                  public void note(String text) {
                                    notes.add(text);
                                  }
                                })));
    assertTrue(refusal.getMessage().contains("is there a network?"), refusal.getMessage());
    assertEquals(1, notes.size(), notes::toString);
  }
}
