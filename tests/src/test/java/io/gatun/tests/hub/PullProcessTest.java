package io.gatun.tests.hub;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.hub.Hub;
import io.gatun.loaders.hub.HubOptions;
import io.gatun.tests.Processes;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Processes that fetch the same, and that are killed while they do.
class PullProcessTest {
  private static final String NAME = "org/model";
  private static final String FILE = "model-Q8_0.gguf";
  private static final int BEGUN = 500_000;

  private final FakeHub hub = new FakeHub();
  private final byte[] weights = new byte[1_000_000];
  private final CountDownLatch isHalf = new CountDownLatch(1);
  private final CountDownLatch goesOn = new CountDownLatch(1);
  @TempDir private Path cache;

  /// The other process: `CACHE ENDPOINT`.
  static final class Other {
    private Other() {}

    public static void main(String[] args) {
      System.out.println(
          Hub.pull(NAME, o -> o.cache(Path.of(args[0])).endpoint(URI.create(args[1])).token(null)));
    }
  }

  @BeforeEach
  void commit() {
    new Random(7).nextBytes(weights);
    hub.commit(NAME, Map.of(FILE, weights));
    hub.storeTrouble(
        FILE,
        exchange -> {
          exchange.sendResponseHeaders(200, weights.length);
          exchange.getResponseBody().write(weights, 0, BEGUN);
          exchange.getResponseBody().flush();
          isHalf.countDown();
          try {
            assertTrue(goesOn.await(60, TimeUnit.SECONDS));
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
          exchange.getResponseBody().write(weights, BEGUN, weights.length - BEGUN);
          return true;
        });
  }

  @AfterEach
  void close() {
    goesOn.countDown();
    hub.close();
  }

  private void choose(HubOptions o) {
    o.cache(cache).endpoint(hub.endpoint()).token(null);
  }

  private Path blob() {
    return cache.resolve("models--org--model/blobs").resolve(FakeHub.hash(FILE, weights));
  }

  private Path incomplete() {
    return blob().resolveSibling(blob().getFileName() + ".incomplete");
  }

  private Process other() throws IOException {
    return Processes.java(Other.class, List.of(), cache.toString(), hub.endpoint().toString())
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .start();
  }

  @Test
  void whatAKilledProcessBeganIsFinished() throws Exception {
    Process process = other();
    try {
      assertTrue(isHalf.await(60, TimeUnit.SECONDS));
      while (process.isAlive() && (!Files.exists(incomplete()) || Files.size(incomplete()) == 0)) {
        Thread.sleep(5);
      }
    } finally {
      process.destroyForcibly().waitFor(); // SIGKILL
    }
    goesOn.countDown();
    assertFalse(Files.exists(blob()));
    long begun = Files.size(incomplete());
    assertTrue(begun > 0 && begun <= BEGUN, "there are " + begun);

    Path file = Hub.pull(NAME, this::choose);
    assertArrayEquals(weights, Files.readAllBytes(file));
    assertFalse(Files.exists(incomplete()));
    assertTrue(
        hub.asked.stream().anyMatch(a -> ("bytes=" + begun + "-").equals(a.range())),
        hub.asked.toString());
  }

  @Test
  void twoProcessesFetchOnce() throws Exception {
    Process process = other();
    try {
      assertTrue(isHalf.await(60, TimeUnit.SECONDS));
      var mine = CompletableFuture.supplyAsync(() -> Hub.pull(NAME, this::choose));
      while (hub.asked.stream().filter(a -> a.path().contains("/tree/")).count() < 2) {
        Thread.sleep(5);
      }
      goesOn.countDown();
      assertArrayEquals(weights, Files.readAllBytes(mine.get(60, TimeUnit.SECONDS)));
      assertTrue(process.waitFor(60, TimeUnit.SECONDS));
      assertEquals(0, process.exitValue());
      assertEquals(1, hub.asked.stream().filter(a -> a.server().equals("store")).count());
    } finally {
      process.destroyForcibly().waitFor();
    }
  }
}
