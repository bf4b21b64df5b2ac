package io.gatun.tests.lifetime;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.models.Generation;
import io.gatun.models.Llm;
import io.gatun.models.LlmSession;
import io.gatun.models.StableDiffusion;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Sam;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.tensor.ops.Backend;
import io.gatun.tests.TestData;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;

/// A language model in the hands of several threads, closed at any moment, interrupted at any
/// moment.
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SharedLlmTest {
  private static final Path TINY = TestData.pretrained("tiny-llm");
  private static final String CLOSED = "the model is closed";
  private static final List<String> PROMPTS =
      List.of("ROMEO:\n", "First Citizen:\nWe", "KING RICHARD II:\n", "To be, or");

  private final ExecutorService other = Executors.newCachedThreadPool();

  @AfterEach
  void end() {
    other.shutdownNow();
  }

  private static String text(LlmSession session, Llm llm, String prompt) {
    return session
        .generate(
            llm.tokenizer().encode(prompt), o -> o.maxTokens(24).sampling(SamplingOptions.GREEDY))
        .text();
  }

  private static List<String> alone(Llm llm) {
    var texts = new ArrayList<String>();
    for (String prompt : PROMPTS) {
      try (var session = llm.newSession()) {
        texts.add(text(session, llm, prompt));
      }
    }
    return texts;
  }

  @Test
  void sessionsOfSeveralThreadsWriteWhatEachWouldAlone() throws Exception {
    for (int threads : new int[] {1, 2}) {
      try (var llm = Llm.load(TINY, o -> o.threads(threads))) {
        var alone = alone(llm);
        var all = new ArrayList<Future<?>>();
        for (int t = 0; t < 4; t++) {
          int own = t;
          all.add(
              other.submit(
                  () -> {
                    for (int round = 0; round < 5; round++) {
                      int which = (own + round) % PROMPTS.size();
                      try (var session = llm.newSession()) {
                        assertEquals(alone.get(which), text(session, llm, PROMPTS.get(which)));
                      }
                    }
                  }));
        }
        for (var each : all) {
          each.get(60, SECONDS);
        }
      }
    }
  }

  @Test
  void callsOfOneSessionWaitForEachOther() throws Exception {
    try (var llm = Llm.load(TINY, o -> o.threads(2));
        var session = llm.newSession()) {
      var alone = alone(llm);
      var all = new ArrayList<Future<?>>();
      for (int t = 0; t < 4; t++) {
        int own = t;
        all.add(
            other.submit(
                () -> {
                  for (int round = 0; round < 5; round++) {
                    assertEquals(alone.get(own), text(session, llm, PROMPTS.get(own)));
                  }
                }));
      }
      for (var each : all) {
        each.get(60, SECONDS);
      }
    }
  }

  @Test
  void twoModelsAreIndependent() {
    var closed = Llm.load(TINY);
    try (var llm = Llm.load(TINY)) {
      var alone = alone(llm);
      closed.close();
      assertEquals(alone, alone(llm));
    }
  }

  @Test
  void afterCloseEverythingSaysThatTheModelIsClosed() {
    var llm = Llm.load(TINY);
    var session = llm.newSession();
    var chat = llm.newChat();
    session.feed(5, 6);
    llm.close();
    llm.close();
    List<Executable> uses =
        List.of(
            () -> llm.generate("To be", 4),
            () -> llm.logits("To be"),
            () -> llm.perplexity("To be, or not to be"),
            llm::newSession,
            llm::newChat,
            () -> session.feed(7),
            () -> session.score(new int[] {7, 8}, 1),
            () -> session.generate(new int[] {5, 6, 7}, o -> {}),
            () -> chat.say("hello", o -> {}),
            () -> llm.ops().empty(1));
    for (var use : uses) {
      assertEquals(CLOSED, assertThrows(IllegalStateException.class, use).getMessage());
    }
    assertThrows(IllegalStateException.class, () -> llm.checkpoint().tensor("model.norm.weight"));
    assertEquals("Llm(tiny-llm: closed)", llm.toString());
    assertEquals(List.of(), chat.messages());
    session.close();
    session.close();
    chat.close();
    chat.close();
    assertEquals("LlmSession(closed)", session.toString());
    assertEquals("Chat(closed)", chat.toString());
    for (Executable use : List.<Executable>of(session::tokens, () -> session.truncate(0))) {
      var e = assertThrows(IllegalStateException.class, use);
      assertEquals("the conversation is closed", e.getMessage());
    }
  }

  /// Begins a long answer on another thread and returns what it ends with.
  private Future<Object> longAnswer(Llm llm, LlmSession session, CountDownLatch begun) {
    return other.submit(
        () -> {
          try {
            return session.generate(
                llm.tokenizer().encode("ROMEO:\n"),
                o ->
                    o.maxTokens(1_000_000)
                        .contextShift(true)
                        .sampling(SamplingOptions.GREEDY)
                        .sink(piece -> begun.countDown()));
          } catch (IllegalStateException e) {
            return e.getMessage();
          }
        });
  }

  @Test
  void closingTheModelEndsALongAnswer() throws Exception {
    for (int threads : new int[] {1, 2}) {
      var llm = Llm.load(TINY, o -> o.threads(threads));
      var session = llm.newSession();
      var begun = new CountDownLatch(1);
      var answer = longAnswer(llm, session, begun);
      assertTrue(begun.await(50, SECONDS));
      llm.close();
      assertEquals(CLOSED, answer.get(50, SECONDS));
      session.close();
    }
  }

  @Test
  void closingTheSessionEndsItsLongAnswerAndNoOther() throws Exception {
    try (var llm = Llm.load(TINY);
        var next = llm.newSession()) {
      var session = llm.newSession();
      var begun = new CountDownLatch(1);
      var answer = longAnswer(llm, session, begun);
      assertTrue(begun.await(50, SECONDS));
      session.close();
      assertEquals("the conversation is closed", answer.get(50, SECONDS));
      assertEquals(alone(llm).getFirst(), text(next, llm, PROMPTS.getFirst()));
    }
  }

  @Test
  void aSinkMayCloseTheModelOrTheSessionOrWaitForAnotherThreadThatDoes() throws Exception {
    for (boolean otherThread : new boolean[] {false, true}) {
      for (boolean wholeModel : new boolean[] {false, true}) {
        try (var llm = Llm.load(TINY);
            var session = llm.newSession()) {
          AutoCloseable closing = wholeModel ? llm : session;
          var e =
              assertThrows(
                  IllegalStateException.class,
                  () ->
                      session.generate(
                          new int[] {5, 6},
                          o ->
                              o.sampling(SamplingOptions.GREEDY)
                                  .sink(piece -> close(closing, otherThread))));
          assertEquals(wholeModel ? CLOSED : "the conversation is closed", e.getMessage());
        }
      }
    }
  }

  private void close(AutoCloseable closing, boolean otherThread) {
    try {
      if (otherThread) {
        other
            .submit(
                () -> {
                  closing.close();
                  return null;
                })
            .get(50, SECONDS);
      } else {
        closing.close();
      }
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aSinkMayUseTheModelAndReadItsSessionButNotChangeIt() {
    try (var llm = Llm.load(TINY);
        var session = llm.newSession()) {
      var alone = alone(llm);
      var nested = new AtomicReference<String>();
      var answer =
          session.generate(
              llm.tokenizer().encode(PROMPTS.getFirst()),
              o ->
                  o.maxTokens(24)
                      .sampling(SamplingOptions.GREEDY)
                      .sink(
                          piece -> {
                            if (nested.get() == null) {
                              try (var inner = llm.newSession()) {
                                nested.set(text(inner, llm, PROMPTS.getLast()));
                              }
                            }
                            assertTrue(session.tokens().length > 0);
                            for (Executable change :
                                List.<Executable>of(
                                    () -> session.feed(5),
                                    () -> session.truncate(0),
                                    () -> session.score(new int[] {5, 6}, 1),
                                    () -> session.generate(new int[] {5}, n -> {}))) {
                              assertThrows(IllegalStateException.class, change);
                            }
                          }));
      assertEquals(alone.getFirst(), answer.text());
      assertEquals(alone.getLast(), nested.get());
      session.feed(5);
    }
  }

  @Test
  void anInterruptedThreadReadsAndWritesNothing() {
    try (var llm = Llm.load(TINY);
        var session = llm.newSession();
        var chat = llm.newChat()) {
      session.feed(5, 6, 7);
      Thread.currentThread().interrupt();
      for (Executable call :
          List.<Executable>of(
              () -> session.feed(8),
              () -> session.score(new int[] {8, 9}, 1),
              () -> llm.logits("To be"),
              () -> llm.perplexity("To be, or not to be"))) {
        assertThrows(CancellationException.class, call);
        assertTrue(Thread.currentThread().isInterrupted());
      }
      for (var answer :
          List.of(
              session.generate(new int[] {5, 6, 9}, o -> {}),
              llm.generate("To be", o -> {}),
              chat.say("hello", o -> {}))) {
        assertEquals(Generation.Reason.CANCELLED, answer.reason());
        assertEquals("", answer.text());
        assertEquals(0, answer.decodeRate());
        assertTrue(Thread.currentThread().isInterrupted());
      }
      assertTrue(Thread.interrupted());
      assertArrayEquals(new int[] {5, 6, 7}, session.tokens());
      assertEquals(List.of(), chat.messages());
      session.feed(8);
    }
  }

  @Test
  void anInterruptWhileLoadingIsNoDamage() {
    Thread.currentThread().interrupt();
    for (Executable load :
        List.<Executable>of(
            () -> Llm.load(TINY),
            () -> Sam.load(TestData.pretrained("tiny-sam")),
            () -> StableDiffusion.load(TestData.pretrained("tiny-sd")),
            () -> Checkpoint.open(TINY),
            () -> Image.read(TestData.pretrained("tiny-sam").resolve("scene0.png")))) {
      assertThrows(CancellationException.class, load);
      assertTrue(Thread.currentThread().isInterrupted());
    }
    assertTrue(Thread.interrupted());
  }

  /// With the slow reference kernels reading a full context takes seconds; an interrupt ends it
  /// between its layers, and the session is as before.
  @Test
  void anInterruptEndsReadingALongPrompt() throws Exception {
    try (var llm = Llm.load(TINY, o -> o.backend(Backend.SCALAR).threads(1));
        var session = llm.newSession()) {
      int[] prompt = new int[500];
      Arrays.setAll(prompt, i -> 5 + i % 900);
      session.feed(1, 2, 3);
      float[] before = session.feed(4).clone();
      session.truncate(3);
      Runnable whole =
          () -> {
            session.score(prompt, 1);
            session.truncate(3);
          };
      int[] longer = Arrays.copyOf(new int[] {1, 2, 3}, 503);
      System.arraycopy(prompt, 0, longer, 3, 500);
      for (Runnable work :
          List.<Runnable>of(
              () -> session.feed(prompt),
              () -> session.score(prompt, 1),
              () -> {
                var answer = session.generate(longer, o -> o.maxTokens(1));
                if (answer.reason() == Generation.Reason.CANCELLED) {
                  assertEquals(0, answer.promptTokens());
                  throw new CancellationException();
                }
              })) {
        Interruptions.endsSoon(
            whole,
            () -> {
              try {
                work.run();
                session.truncate(3);
                return false;
              } catch (CancellationException e) {
                return true;
              }
            });
        assertArrayEquals(new int[] {1, 2, 3}, session.tokens());
        assertArrayEquals(before, session.feed(4));
        session.truncate(3);
      }
    }
  }

  @Test
  void theModelsCheckpointIsClosedWithTheModelAlone() {
    var llm = Llm.load(TINY);
    Checkpoint checkpoint = llm.checkpoint();
    assertThrows(IllegalStateException.class, checkpoint::close);
    llm.generate("To be", 2);
    llm.close();
    checkpoint.close();
    assertTrue(checkpoint.isClosed());
  }

  @Test
  void aClosedCheckpointHasNoTensors() {
    var checkpoint = Checkpoint.open(TINY);
    var tensor = checkpoint.tensor("model.norm.weight");
    checkpoint.close();
    checkpoint.close();
    var e = assertThrows(IllegalStateException.class, () -> checkpoint.tensor("model.norm.weight"));
    assertTrue(e.getMessage().contains("closed"), e::getMessage);
    assertThrows(IllegalStateException.class, tensor::toFloats);
  }
}
