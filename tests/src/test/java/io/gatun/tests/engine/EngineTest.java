package io.gatun.tests.engine;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.DraftModel;
import io.gatun.models.Llm;
import io.gatun.models.constraint.Constraint;
import io.gatun.models.engine.ContextExceededException;
import io.gatun.models.engine.Engine;
import io.gatun.models.engine.EngineFullException;
import io.gatun.models.engine.EngineOptions;
import io.gatun.models.engine.Handle;
import io.gatun.models.engine.Histogram;
import io.gatun.models.engine.Piece;
import io.gatun.models.engine.Request;
import io.gatun.models.engine.Result;
import io.gatun.models.engine.Result.Reason;
import io.gatun.models.sampling.Drafter;
import io.gatun.models.sampling.PromptLookup;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.tests.TestData;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Many answers at once: each must be what it is alone, whatever becomes of the others.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EngineTest {
  private static final SamplingOptions GREEDY = SamplingOptions.GREEDY;
  private static Llm llm;

  @BeforeAll
  static void load() {
    llm = Llm.load(TestData.pretrained("tiny-llm"), o -> o.threads(2));
  }

  @AfterAll
  static void close() {
    llm.close();
  }

  /// Bytes of a page of 64 positions.
  private static long page() {
    return llm.layout().pageBytes();
  }

  private static Engine engine(Consumer<EngineOptions> choose) {
    return Engine.open(llm, choose);
  }

  private static Engine invariant(Consumer<EngineOptions> choose) {
    return engine(
        o -> {
          o.batchInvariant(true);
          choose.accept(o);
        });
  }

  private static Request request(int seed, int length) {
    var random = new Random(seed);
    int[] prompt = random.ints(length, 3, llm.model().config().vocabSize()).toArray();
    return Request.of(prompt)
        .sampling(SamplingOptions.DEFAULT.withSeed(seed))
        .ignoreEnd(true)
        .maxTokens(1 + random.nextInt(40));
  }

  private static Result alone(Request request) throws InterruptedException {
    try (var engine = invariant(o -> o.prefixCache(false))) {
      return engine.submit(request).await();
    }
  }

  private static void assertPrefix(int[] whole, int[] part, String what) {
    assertTrue(part.length <= whole.length, what);
    assertArrayEquals(Arrays.copyOf(whole, part.length), part, what);
  }

  @Test
  void eachAnswerIsWhatItIsAlone() throws Exception {
    var random = new Random(7);
    var requests = new ArrayList<Request>();
    for (int i = 0; i < 24; i++) {
      requests.add(request(i, 1 + random.nextInt(i % 4 == 0 ? 300 : 40)));
    }
    // Some begin alike.
    for (int i = 0; i < 6; i++) {
      int[] prompt = requests.get(0).prompt();
      prompt[prompt.length - 1 - i] = 5;
      requests.set(3 * i + 1, requests.get(3 * i + 1).sampling(GREEDY));
      requests.add(Request.of(prompt).sampling(GREEDY).maxTokens(10).ignoreEnd(true));
    }
    var alone = new ArrayList<Result>();
    for (var request : requests) {
      alone.add(alone(request));
    }
    try (var engine = invariant(o -> o.parallel(14))) {
      var handles = new ArrayList<Handle>();
      for (var request : requests) {
        handles.add(engine.submit(request));
      }
      var cancelled = new boolean[handles.size()];
      for (int i = 0; i < handles.size(); i++) {
        if (random.nextInt(4) == 0) {
          cancelled[i] = true;
          for (int n = random.nextInt(4); n > 0 && handles.get(i).next() != null; n--) {}
          handles.get(i).cancel();
        }
      }
      for (int i = 0; i < handles.size(); i++) {
        var result = handles.get(i).await();
        if (cancelled[i]) {
          assertPrefix(alone.get(i).tokens(), result.tokens(), "request " + i);
        } else {
          assertArrayEquals(alone.get(i).tokens(), result.tokens(), "request " + i);
          assertEquals(alone.get(i).text(), result.text());
          assertEquals(Reason.LENGTH, result.reason());
        }
      }
      assertTrue(engine.stats().cachedTokens() > 0);
    }
  }

  @Test
  void memoryThatRunsOutPutsAnswersOff() throws Exception {
    var requests = new ArrayList<Request>();
    for (int i = 0; i < 6; i++) {
      requests.add(request(i, 50).maxTokens(100));
    }
    for (boolean cached : new boolean[] {true, false}) {
      try (var engine =
          invariant(o -> o.chunk(64).memory(5 * page()).parallel(6).prefixCache(cached))) {
        var handles = requests.stream().map(engine::submit).toList();
        int preemptions = 0;
        for (int i = 0; i < handles.size(); i++) {
          var result = handles.get(i).await();
          preemptions += result.usage().preemptions();
          assertArrayEquals(alone(requests.get(i)).tokens(), result.tokens(), "request " + i);
        }
        assertTrue(preemptions > 0, "memory was enough");
      }
    }
  }

  /// What comes from the cache gives the same probabilities as what is read, bit for bit.
  @Test
  void aPrefixIsReadOnce() throws Exception {
    var request = request(1, 400).sampling(GREEDY).logprobs(3).maxTokens(5);
    var other = request.prompt();
    other[398] = 7;
    var second = Request.of(other).sampling(GREEDY).logprobs(3).maxTokens(5).ignoreEnd(true);
    try (var engine = invariant(o -> {})) {
      var fresh = pieces(engine.submit(second.cache(false)));
      var first = engine.submit(request).await();
      assertEquals(0, first.usage().cachedTokens());
      var handle = engine.submit(second);
      var cached = pieces(handle);
      assertEquals(384, handle.await().usage().cachedTokens());
      for (int i = 0; i < cached.size(); i++) {
        assertEquals(fresh.get(i).token(), cached.get(i).token());
        var expected = fresh.get(i).logprobs();
        var found = cached.get(i).logprobs();
        assertEquals(expected.logprob(), found.logprob());
        assertArrayEquals(expected.topLogprobs(), found.topLogprobs());
      }
    }
    // By pages, and of what was written, too, where small differences are allowed.
    try (var engine = engine(o -> {})) {
      var first = engine.submit(request.maxTokens(100)).await();
      int[] longer =
          Arrays.copyOf(request.prompt(), request.prompt().length + first.tokens().length);
      System.arraycopy(first.tokens(), 0, longer, 400, first.tokens().length);
      var usage = engine.submit(Request.of(longer).maxTokens(1)).await().usage();
      assertEquals(499 / 64 * 64, usage.cachedTokens());
      assertEquals(500, usage.promptTokens());
    }
  }

  private static List<Piece> pieces(Handle handle) throws InterruptedException {
    var pieces = new ArrayList<Piece>();
    for (var piece = handle.next(); piece != null; piece = handle.next()) {
      pieces.add(piece);
    }
    return pieces;
  }

  @Test
  void theSameAsASession() throws Exception {
    String prompt = "First Citizen:\nBefore we proceed";
    int[] ids = llm.tokenizer().encode(prompt);
    var expected = llm.generate(prompt, o -> o.maxTokens(40).sampling(GREEDY));
    try (var engine = engine(o -> {})) {
      var handle = engine.submit(Request.of(ids).sampling(GREEDY).maxTokens(40));
      var text = new StringBuilder();
      for (var piece : pieces(handle)) {
        text.append(piece.text());
      }
      var result = handle.await();
      assertEquals(expected.text(), result.text());
      assertEquals(expected.text(), text.toString());
      assertArrayEquals(expected.ids(), result.tokens());
      String stop = expected.text().substring(10, 13);
      var stopped =
          engine.submit(Request.of(ids).sampling(GREEDY).maxTokens(40).stop(List.of(stop))).await();
      assertEquals(Reason.STOP, stopped.reason());
      assertEquals(expected.text().substring(0, expected.text().indexOf(stop)), stopped.text());
    }
  }

  @Test
  void severalAnswersToOnePrompt() throws Exception {
    var request = request(3, 200).sampling(SamplingOptions.DEFAULT.withSeed(9)).maxTokens(20);
    try (var engine = invariant(o -> o.prefixCache(false))) {
      var handles = engine.submit(request, 3);
      var texts = new ArrayList<String>();
      for (int i = 0; i < 3; i++) {
        var own = request.sampling(SamplingOptions.DEFAULT.withSeed(9 + i));
        var result = handles.get(i).await();
        assertArrayEquals(alone(own).tokens(), result.tokens());
        assertEquals(9 + i, result.usage().seed());
        texts.add(result.text());
      }
      assertNotEquals(texts.get(0), texts.get(1));
      assertEquals(200, engine.stats().promptTokens());
      // The first goes before the others have begun.
      var again = engine.submit(request, 3);
      again.get(0).cancel();
      assertEquals(texts.get(1), again.get(1).await().text());
      assertEquals(texts.get(2), again.get(2).await().text());
      assertThrows(IllegalArgumentException.class, () -> engine.submit(request, 9));
    }
  }

  /// All places are held by answers that nobody reads: others get them, and these go on later.
  @Test
  void slowReadersStopNobody() throws Exception {
    var expected = alone(request(1, 5).maxTokens(300));
    try (var engine = invariant(o -> o.parallel(2))) {
      var slow = engine.submit(request(1, 5).maxTokens(300), 2);
      for (int i = 0; i < 8; i++) {
        assertEquals(40, engine.submit(request(2, 5).maxTokens(40)).await().tokens().length);
      }
      assertTrue(engine.stats().paused() > 0);
      assertFalse(slow.get(0).isDone());
      assertTrue(slow.get(0).awaitNext(Duration.ZERO));
      slow.get(1).cancel();
      assertEquals(Reason.CANCELLED, slow.get(1).await().reason());
      assertArrayEquals(expected.tokens(), slow.get(0).await().tokens());
    }
    // Memory, too, goes to those who read.
    try (var engine = invariant(o -> o.parallel(9).chunk(64).memory(7 * page()))) {
      var slow = engine.submit(request(1, 5).maxTokens(300));
      while (engine.stats().answerTokens() < 256) {
        Thread.onSpinWait();
      }
      assertEquals(9, engine.submit(request(2, 200).maxTokens(9)).await().tokens().length);
      assertEquals(1, engine.stats().paused());
      assertArrayEquals(expected.tokens(), slow.await().tokens());
    }
  }

  /// While another's guess holds the engine up, nothing comes.
  @Test
  void nothingToReadYet() throws Exception {
    var guesses = new CompletableFuture<Void>();
    var goOn = new CompletableFuture<int[]>();
    Drafter slow =
        (tokens, length, most) -> {
          guesses.complete(null);
          return goOn.join();
        };
    try (var engine = engine(o -> {})) {
      var first = engine.submit(request(1, 5).maxTokens(9).drafter(() -> slow));
      guesses.join();
      var second = engine.submit(request(2, 5).maxTokens(9));
      boolean has = second.awaitNext(Duration.ZERO);
      goOn.complete(new int[0]);
      assertFalse(has);
      assertEquals(9, first.await().tokens().length);
      assertTrue(second.awaitNext(Duration.ofMinutes(1)));
      assertEquals(9, second.await().tokens().length);
    }
  }

  /// As an evaluation asks: how likely each token of a text is after those before it.
  @Test
  void thePromptIsJudged() throws Exception {
    var request = request(4, 300).maxTokens(0).logprobs(2).promptLogprobs(true);
    int[] prompt = request.prompt();
    float[] expected;
    try (var session = llm.newSession()) {
      expected = session.score(prompt, 1);
    }
    try (var engine = engine(o -> o.parallel(2))) {
      engine.submit(request(4, 300)).await(); // what the cache holds is read all the same
      for (int answers : new int[] {1, 2}) {
        for (var handle : engine.submit(request, answers)) {
          var result = handle.await();
          assertEquals(0, result.tokens().length);
          assertEquals(Reason.LENGTH, result.reason());
          assertEquals(prompt.length - 1, result.promptLogprobs().size());
          for (int i = 0; i < expected.length; i++) {
            var judged = result.promptLogprobs().get(i);
            assertEquals(prompt[i + 1], judged.token());
            assertEquals(expected[i], judged.logprob(), 2e-2f, "token " + i);
            assertEquals(2, judged.top().length);
          }
        }
      }
      var written = engine.submit(request.maxTokens(1)).await();
      assertEquals(1, written.tokens().length);
      assertEquals(prompt.length - 1, written.promptLogprobs().size());
    }
    // In pieces, put off and read again.
    try (var engine = engine(o -> o.parallel(3).chunk(64).memory(8 * page()))) {
      var handles = List.of(engine.submit(request), engine.submit(request), engine.submit(request));
      for (var handle : handles) {
        assertEquals(prompt.length - 1, handle.await().promptLogprobs().size());
      }
    }
  }

  /// Whoever guesses and however well, each answer is what it is alone.
  @Test
  void guessesChangeNothing() throws Exception {
    var requests = new ArrayList<Request>();
    var alone = new ArrayList<Result>();
    for (int i = 0; i < 5; i++) {
      requests.add(
          request(i, 30).sampling(i < 3 ? GREEDY : request(i, 1).sampling()).maxTokens(80));
      alone.add(alone(requests.get(i)));
    }
    int[][] known = alone.stream().map(Result::tokens).toArray(int[][]::new);
    var closed = new AtomicInteger();
    final class Oracle implements Drafter {
      private final int answer;

      Oracle(int answer) {
        this.answer = answer;
      }

      /// Every fifth guess is wrong.
      @Override
      public int[] draft(int[] tokens, int length, int most) {
        int at = length - 30;
        int[] guess =
            Arrays.copyOfRange(known[answer], at, Math.min(known[answer].length, at + most));
        for (int i = 0; i < guess.length; i++) {
          guess[i] = (at + i) % 5 == 4 ? 3 : guess[i];
        }
        return guess;
      }

      @Override
      public void close() {
        closed.incrementAndGet();
      }
    }
    try (var engine = invariant(o -> o.drafter(PromptLookup::new))) {
      for (var handle : List.of(engine.submit(requests.get(0)), engine.submit(requests.get(1)))) {
        handle.await();
      }
      var handles = new ArrayList<Handle>();
      for (int i = 0; i < 5; i++) {
        int answer = i;
        handles.add(engine.submit(requests.get(i).drafter(() -> new Oracle(answer))));
      }
      int accepted = 0;
      for (int i = 0; i < 5; i++) {
        var result = handles.get(i).await();
        assertArrayEquals(known[i], result.tokens(), "answer " + i);
        assertTrue(result.usage().accepted() <= result.usage().drafted());
        accepted += result.usage().accepted();
      }
      assertTrue(accepted > 0, "nothing was guessed");
      assertEquals(5, closed.get());
      assertTrue(engine.stats().accepted() >= accepted);
    }
  }

  @Test
  void aDraftModelGuesses() throws Exception {
    var request = request(1, 20).sampling(GREEDY).maxTokens(60);
    var alone = alone(request);
    try (var engine = invariant(o -> o.drafter(() -> new DraftModel(llm, llm)))) {
      var both = List.of(engine.submit(request), engine.submit(request));
      for (var handle : both) {
        var result = handle.await();
        assertArrayEquals(alone.tokens(), result.tokens());
        assertTrue(result.usage().accepted() > 0, result.usage().toString());
      }
    }
  }

  @Test
  void whatItDoesIsCounted() throws Exception {
    try (var engine = engine(o -> {})) {
      engine.submit(request(1, 5).maxTokens(10)).await();
      engine.submit(request(2, 5).timeout(Duration.ZERO)).await();
      var stats = engine.stats();
      while (stats.running() > 0 || stats.ended().size() < 2) { // it notes after the end is seen
        stats = engine.stats();
      }
      assertEquals(Map.of(Reason.LENGTH, 1L, Reason.TIMEOUT, 1L), stats.ended());
      assertEquals(1, stats.firstToken().count());
      assertEquals(9, stats.tokenGap().count());
      assertEquals(stats.tokenGap().counts().length, Histogram.bounds().length + 1);
      assertTrue(stats.tokenGap().seconds() > 0);
      assertEquals(10, stats.answerTokens());
      assertEquals(2L << 30, stats.memory());
    }
  }

  @Test
  void timeIsUp() throws Exception {
    try (var engine = engine(o -> o.parallel(1))) {
      var first = engine.submit(request(1, 5).maxTokens(500));
      var waits = engine.submit(request(2, 5).timeout(Duration.ZERO));
      var result = waits.await();
      assertEquals(Reason.TIMEOUT, result.reason());
      assertEquals(0, result.tokens().length);
      first.cancel();
      first.await();
      // One whose reader does not read is full, and ends all the same.
      var full = engine.submit(request(3, 5).maxTokens(500).timeout(Duration.ofMillis(700)));
      Thread.sleep(900);
      assertTrue(full.isDone());
      assertEquals(Reason.TIMEOUT, full.await().reason());
    }
  }

  @Test
  void whatCannotBeIsRefused() throws Exception {
    try (var engine = engine(o -> o.parallel(1).queue(1))) {
      int limit = engine.contextLimit();
      var refused =
          assertThrows(ContextExceededException.class, () -> engine.submit(request(1, limit)));
      assertEquals(limit, refused.tokens());
      assertEquals(limit, refused.limit());
      assertTrue(
          refused.getMessage().contains(limit + " tokens; the context holds " + limit),
          refused.getMessage());
      var last = engine.submit(request(1, limit - 1).maxTokens(9)).await();
      assertEquals(Reason.CONTEXT, last.reason());
      assertEquals(1, last.tokens().length);
      var token =
          assertThrows(IllegalArgumentException.class, () -> engine.submit(Request.of(1, 1 << 20)));
      assertTrue(token.getMessage().contains("1048576"), token.getMessage());
      var biased = Request.of(1).sampling(GREEDY.withLogitBias(Map.of(1 << 20, 1f)));
      assertThrows(IllegalArgumentException.class, () -> engine.submit(biased));
      var full =
          assertThrows(
              EngineFullException.class,
              () -> {
                for (int i = 0; i < 5; i++) {
                  engine.submit(request(i, 5).maxTokens(500));
                }
              });
      assertTrue(full.getMessage().contains("wait already"), full.getMessage());
    }
    assertThrows(IllegalArgumentException.class, () -> engine(o -> o.memory(page())));
    assertThrows(IllegalArgumentException.class, () -> Request.of());
  }

  @Test
  void anErrorIsOneAnswersOwn() throws Exception {
    try (var engine = invariant(o -> {})) {
      var good = engine.submit(request(1, 20).maxTokens(30));
      // No token is left where the third character must come.
      var tokenizer = llm.tokenizer();
      var none = new HashMap<Integer, Float>();
      for (int id = 0; id < tokenizer.size(); id++) {
        if (tokenizer.has(id) && new String(tokenizer.bytes(id), UTF_8).contains("c")) {
          none.put(id, Float.NEGATIVE_INFINITY);
        }
      }
      var bad =
          engine.submit(
              request(2, 20)
                  .sampling(GREEDY.withLogitBias(none))
                  .constraint(Constraint.regex("abc")));
      while (!bad.next().text().contains("b")) {}
      var broken = assertThrows(IllegalStateException.class, bad::next);
      assertTrue(broken.getMessage().contains("a constraint allows no token"), broken.getMessage());
      assertArrayEquals(alone(request(1, 20).maxTokens(30)).tokens(), good.await().tokens());
    }
  }

  @Test
  void closingEndsWhatRuns() throws Exception {
    Handle running;
    Handle waiting;
    Engine closed;
    try (var engine = engine(o -> o.parallel(1))) {
      closed = engine;
      running = engine.submit(request(1, 5).maxTokens(500));
      waiting = engine.submit(request(2, 5).maxTokens(500));
      running.next();
    }
    assertEquals(Reason.CANCELLED, running.await().reason());
    assertEquals(Reason.CANCELLED, waiting.await().reason());
    assertThrows(IllegalStateException.class, () -> closed.submit(request(1, 5)));
    closed.close();
    var drained = engine(o -> o.parallel(1));
    var first = drained.submit(request(1, 5).maxTokens(50));
    var second = drained.submit(request(2, 5).maxTokens(50));
    assertTrue(drained.drain(Duration.ofSeconds(60)));
    assertEquals(50, first.await().tokens().length);
    assertEquals(50, second.await().tokens().length);
    assertNull(first.next());
    drained.close();
  }

  @Test
  void aModelThatIsClosedEndsAllAnswers() throws Exception {
    Handle running;
    var own = Llm.load(TestData.pretrained("tiny-llm"));
    try (var engine = Engine.open(own)) {
      running = engine.submit(request(1, 5).maxTokens(500));
      running.next();
      own.close();
      var failure = assertThrows(IllegalStateException.class, running::await);
      assertTrue(failure.getMessage().contains("closed"), failure.getMessage());
    }
  }
}
