package io.gatun.tests.lifetime;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.Reranker;
import io.gatun.models.TextEmbedder;
import io.gatun.tests.TestData;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Embedders and rerankers in the hands of several threads, closed and interrupted while they
/// compute.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SharedEncodersTest {
  private static final Path MODELS = TestData.ROOT.resolve("tests/src/test/resources/encoder");
  private static final List<String> EMBEDDERS = List.of("nomic-embed", "qwen3-embedding");
  private static final List<String> RERANKERS = List.of("bert-reranker", "qwen3-reranker");
  private static final List<String> TEXTS = List.of("rain", "", "snow and rain", "x y z");

  private final ExecutorService other = Executors.newCachedThreadPool();

  @AfterEach
  void end() {
    other.shutdownNow();
  }

  @Test
  void threadsTakeTurns() throws Exception {
    for (String name : EMBEDDERS) {
      try (var embedder = TextEmbedder.load(MODELS.resolve(name), o -> o.threads(2))) {
        float[][] alone = embedder.embed(TEXTS);
        inTurns(() -> assertArrayEquals(alone, embedder.embed(TEXTS)));
      }
    }
    for (String name : RERANKERS) {
      try (var reranker = Reranker.load(MODELS.resolve(name), o -> o.threads(2))) {
        float[] alone = reranker.score("rain", TEXTS);
        inTurns(() -> assertArrayEquals(alone, reranker.score("rain", TEXTS)));
      }
    }
  }

  private void inTurns(Runnable use) throws Exception {
    var all = new ArrayList<Future<?>>();
    for (int t = 0; t < 3; t++) {
      all.add(
          other.submit(
              () -> {
                for (int i = 0; i < 20; i++) {
                  use.run();
                }
              }));
    }
    for (var each : all) {
      each.get(60, SECONDS);
    }
  }

  @Test
  void closedWhileItComputes() throws Exception {
    for (String name : EMBEDDERS) {
      var embedder = TextEmbedder.load(MODELS.resolve(name), o -> o.threads(2));
      closed(() -> embedder.embed(TEXTS), embedder::close);
      assertTrue(embedder.toString().contains("closed"), embedder::toString);
    }
    for (String name : RERANKERS) {
      var reranker = Reranker.load(MODELS.resolve(name), o -> o.threads(2));
      closed(() -> reranker.score("rain", TEXTS), reranker::close);
      assertTrue(reranker.toString().contains("closed"), reranker::toString);
    }
  }

  private void closed(Runnable use, Runnable close) throws Exception {
    var begun = new CountDownLatch(3);
    var computing =
        other.submit(
            () -> {
              while (true) {
                use.run();
                begun.countDown();
              }
            });
    assertTrue(begun.await(60, SECONDS));
    close.run();
    var ended = assertThrows(ExecutionException.class, () -> computing.get(60, SECONDS));
    assertEquals(IllegalStateException.class, ended.getCause().getClass(), ended::toString);
    var later = assertThrows(IllegalStateException.class, use::run);
    assertTrue(later.getMessage().contains("is closed"), later::getMessage);
    close.run();
  }

  @Test
  void interrupted() throws Exception {
    var many = Collections.nCopies(20_000, "snow and rain");
    try (var embedder = TextEmbedder.load(MODELS.resolve("nomic-embed"), o -> o.threads(2));
        var reranker = Reranker.load(MODELS.resolve("bert-reranker"), o -> o.threads(2))) {
      interrupted(() -> embedder.embed(many));
      interrupted(() -> reranker.score("rain", many));
      assertEquals(32, embedder.embed(TEXTS)[0].length);
      assertEquals(TEXTS.size(), reranker.score("rain", TEXTS).length);
    }
  }

  private void interrupted(Runnable use) throws Exception {
    var computing =
        other.submit(
            () -> {
              Thread.currentThread().interrupt();
              use.run();
            });
    var ended = assertThrows(ExecutionException.class, () -> computing.get(60, SECONDS));
    assertEquals(CancellationException.class, ended.getCause().getClass(), ended::toString);
  }
}
