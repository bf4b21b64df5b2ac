package io.gatun.tests.lifetime;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.GenerateOptions;
import io.gatun.models.Llm;
import io.gatun.models.LlmOptions;
import io.gatun.models.decoder.Batch;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Precision;
import io.gatun.tensor.sequence.KvPool;
import io.gatun.tensor.sequence.Sequence;
import io.gatun.tests.TestData;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Several language models on the same threads, in the same workspace, with one memory for their
/// sessions.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SharedOpsTest {
  private static final Path TINY = TestData.pretrained("tiny-llm");
  private static final String CLOSED = "the model is closed";
  private static final String PROMPT = "ROMEO:\n";

  private final ExecutorService other = Executors.newCachedThreadPool();
  private final Ops ops = new Ops(Backend.NATIVE, 2, Precision.FAST);
  private final KvPool pool = new KvPool(64L << 20);

  @AfterEach
  void end() {
    other.shutdownNow();
    ops.close();
    pool.close();
  }

  private Llm load(Consumer<LlmOptions> more) {
    return Llm.load(
        TINY,
        o -> {
          o.ops(ops).pool(pool);
          more.accept(o);
        });
  }

  private static void fewTokens(GenerateOptions options) {
    options.maxTokens(24).sampling(SamplingOptions.GREEDY);
  }

  private static String text(Llm llm) {
    return llm.generate(PROMPT, SharedOpsTest::fewTokens).text();
  }

  @Test
  void modelsThatAnswerInTurnFromTwoThreadsWriteWhatEachWouldAlone() throws Exception {
    Consumer<LlmOptions> exact = o -> o.kv(DType.Plain.F32); // whose pages are larger
    var alone = new ArrayList<String>();
    for (Consumer<LlmOptions> kv : List.<Consumer<LlmOptions>>of(o -> {}, exact)) {
      try (var llm = Llm.load(TINY, o -> kv.accept(o.threads(2)))) {
        alone.add(text(llm));
      }
    }
    try (var first = load(o -> {});
        var second = load(exact)) {
      var models = List.of(first, second);
      var all = new ArrayList<Future<?>>();
      for (int t = 0; t < 4; t++) {
        int which = t % 2;
        all.add(
            other.submit(
                () -> {
                  for (int round = 0; round < 5; round++) {
                    assertEquals(alone.get(which), text(models.get(which)));
                  }
                }));
      }
      for (var each : all) {
        each.get(60, SECONDS);
      }
    }
    assertEquals(0, pool.used());
  }

  @Test
  void aDraftThatIsReadTogetherChangesNothing() {
    try (var target = load(o -> {});
        var draft = load(o -> o.kv(DType.Plain.I8));
        var said = new Sequence(pool, target.layout(), 64);
        var guessed = new Sequence(pool, draft.layout(), 64)) {
      int[] prompt = target.tokenizer().encode(PROMPT);
      int[] expected = target.generate(PROMPT, SharedOpsTest::fewTokens).ids();
      var written = new ArrayList<Integer>();
      try (var _ = ops.owner().turn()) {
        int next = greedy(target, said, 1, prompt)[0];
        greedy(draft, guessed, 1, prompt);
        while (written.size() < expected.length) {
          written.add(next);
          int[] run = {next, 0, 0, 0};
          for (int i = 1; i < run.length; i++) {
            run[i] = greedy(draft, guessed, 1, run[i - 1])[0];
          }
          int before = said.length();
          int[] checked = greedy(target, said, run.length, run);
          int right = 0;
          while (right + 1 < run.length && checked[right] == run[right + 1]) {
            right++;
          }
          for (int i = 1; i <= right; i++) {
            written.add(run[i]);
          }
          next = checked[right];
          said.truncate(before + right + 1);
          if (right + 1 == run.length) {
            greedy(draft, guessed, 1, run[right]);
          }
          guessed.truncate(before + right + 1);
        }
      }
      assertEquals(Arrays.stream(expected).boxed().toList(), written.subList(0, expected.length));
    }
  }

  /// The likeliest token after each of the last `wanted` ids, within the turn of whoever calls.
  private static int[] greedy(Llm llm, Sequence sequence, int wanted, int... ids) {
    try (var _ = llm.ops().scope()) {
      var hidden = llm.model().forward(llm.ops(), Batch.of(sequence, ids, wanted));
      var logits = llm.model().logits(llm.ops(), hidden);
      var best = new int[wanted];
      Arrays.setAll(best, t -> llm.ops().argmax(logits, t));
      return best;
    }
  }

  @Test
  void closingOneLeavesTheOthersAlive() throws Exception {
    try (var stays = load(o -> {})) {
      String alone = text(stays);
      var closes = load(o -> {});
      var writing = new CountDownLatch(1);
      var endless =
          other.submit(
              () ->
                  closes.generate(
                      PROMPT,
                      o ->
                          o.maxTokens(1_000_000)
                              .contextShift(true)
                              .sink(_ -> writing.countDown())));
      assertTrue(writing.await(60, SECONDS));
      closes.close();
      var end = assertThrows(Exception.class, () -> endless.get(60, SECONDS));
      assertEquals(CLOSED, end.getCause().getMessage());
      assertEquals("Llm(tiny-llm: closed)", closes.toString());
      assertEquals(
          CLOSED,
          assertThrows(IllegalStateException.class, () -> closes.ops().empty(1)).getMessage());
      assertEquals(
          CLOSED,
          assertThrows(IllegalStateException.class, () -> closes.ops().scope()).getMessage());
      assertThrows(
          IllegalStateException.class, () -> closes.checkpoint().tensor("model.norm.weight"));
      assertFalse(ops.owner().isClosed());
      assertEquals(alone, text(stays));
      ops.close();
      assertEquals(
          CLOSED, assertThrows(IllegalStateException.class, () -> text(stays)).getMessage());
      assertEquals(CLOSED, assertThrows(IllegalStateException.class, ops::sharing).getMessage());
    }
  }

  @Test
  void operationsOfOneAreRefusedWhileAnotherHasItsTurn() throws Exception {
    try (var first = load(o -> {});
        var second = load(o -> {});
        var _ = first.ops().owner().turn()) {
      var refused = other.submit(() -> second.ops().empty(1).size());
      var e = assertThrows(Exception.class, () -> refused.get(60, SECONDS));
      assertTrue(e.getCause().getMessage().startsWith("another thread is using the model"));
      assertArrayEquals(new long[] {1}, second.ops().empty(1).shape().dims()); // it is inside
    }
  }

  @Test
  void oneBudgetHoldsTheSessionsOfAll() {
    long page;
    try (var llm = load(o -> {})) {
      page = llm.layout().pageBytes();
    }
    try (var tight = new KvPool(4 * page);
        var first = Llm.load(TINY, o -> o.ops(ops).pool(tight));
        var second = Llm.load(TINY, o -> o.ops(ops).pool(tight).kv(DType.Plain.F32))) {
      assertEquals(2 * page, second.layout().pageBytes());
      var session = first.newSession();
      var other = second.newSession();
      session.feed(new int[100]); // two pages, which leave room for one of the other's
      other.feed(1, 2);
      assertEquals(4 * page, tight.used());
      assertThrows(KvPool.Exhausted.class, () -> other.feed(new int[64]));
      session.close();
      other.feed(new int[64]);
      other.close();
      assertEquals(0, tight.used());
    }
  }

  @Test
  void whatComesWithSharedPartsIsNotChosenBesides() {
    for (Consumer<LlmOptions> twice :
        List.<Consumer<LlmOptions>>of(
            o -> o.threads(2), o -> o.backend(Backend.NATIVE), o -> o.precision(Precision.F32))) {
      var e = assertThrows(IllegalArgumentException.class, () -> load(twice));
      assertEquals(
          "ops brings its own backend, precision and threads; leave those out, or ops",
          e.getMessage());
    }
    var e = assertThrows(IllegalArgumentException.class, () -> load(o -> o.kvBudget(1 << 20)));
    assertEquals(
        "pool has a budget of its own, 67108864 bytes; leave kvBudget out, or pool",
        e.getMessage());
  }
}
