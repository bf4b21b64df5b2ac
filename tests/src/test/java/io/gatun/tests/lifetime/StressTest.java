package io.gatun.tests.lifetime;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.Generation;
import io.gatun.models.Llm;
import io.gatun.models.StableDiffusion;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Sam;
import io.gatun.models.sampling.SamplingOptions;
import io.gatun.tests.TestData;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CancellationException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/// Four threads load, generate, segment, paint, interrupt each other and close at random for half a
/// minute, on models that they share. What they get is what a thread alone gets, or the exception
/// that says why there is nothing; and nobody waits for ever.
class StressTest {
  private static final long SECONDS_LONG = 30;
  private static final int THREADS = 4;

  /// No call takes longer, but on a machine that does nothing else for minutes.
  private static final long HANG_SECONDS = 60;

  private static final List<String> PROMPTS =
      List.of("ROMEO:\n", "First Citizen:\nWe", "KING RICHARD II:\n", "To be, or");

  private enum Outcome {
    ANSWERED,
    CANCELLED,
    CLOSED
  }

  /// A model that any thread may replace by a new one at any time.
  private static final class Shared<T extends AutoCloseable> {
    private final Supplier<T> load;
    private T model;

    Shared(Supplier<T> load) {
      this.load = load;
    }

    synchronized T get() {
      if (model == null) {
        model = load.get();
      }
      return model;
    }

    /// Takes it from the others, who may be in the middle of using it.
    synchronized T take() {
      T taken = model;
      model = null;
      return taken;
    }
  }

  private final Shared<Llm> llm =
      new Shared<>(() -> Llm.load(TestData.pretrained("tiny-llm"), o -> o.threads(2)));
  private final Shared<Sam> sam =
      new Shared<>(() -> Sam.load(TestData.pretrained("tiny-sam"), o -> o.threads(2)));
  private final Shared<StableDiffusion> sd =
      new Shared<>(() -> StableDiffusion.load(TestData.pretrained("tiny-sd"), o -> o.threads(2)));
  private final Image scene = Image.read(TestData.pretrained("tiny-sam").resolve("scene0.png"));
  private final List<Prompt> points = List.of(Prompt.point(100, 100), Prompt.point(40, 60));

  private final List<String> texts = new ArrayList<>();
  private final List<Mask> masks = new ArrayList<>();
  private final List<ByteBuffer> images = new ArrayList<>();

  private final AtomicReferenceArray<Thread> threads = new AtomicReferenceArray<>(THREADS);
  private final AtomicReferenceArray<String> doing = new AtomicReferenceArray<>(THREADS);
  private final AtomicLong[] since = new AtomicLong[THREADS];

  private Generation text(Llm model, int which) {
    return model.generate(
        PROMPTS.get(which), o -> o.maxTokens(24).sampling(SamplingOptions.GREEDY));
  }

  private Mask mask(Sam model, int which) {
    try (var encoded = model.encode(scene)) {
      return encoded.predict(points.get(which)).best();
    }
  }

  private ByteBuffer image(StableDiffusion model, int which) {
    var made =
        model.imagine("a red circle", o -> o.steps(2).seed(which).width(32).height(32)).image();
    return ByteBuffer.wrap(made.pixels().toArray(ValueLayout.JAVA_BYTE));
  }

  @Test
  void fourThreadsDoWhatTheyLikeForHalfAMinute() throws Exception {
    for (int i = 0; i < PROMPTS.size(); i++) {
      texts.add(text(llm.get(), i).text());
    }
    for (int i = 0; i < 2; i++) {
      masks.add(mask(sam.get(), i));
      images.add(image(sd.get(), i));
    }
    long end = System.nanoTime() + SECONDS.toNanos(SECONDS_LONG);
    var counts = new ArrayList<Future<Map<Outcome, Integer>>>();
    var pool = Executors.newFixedThreadPool(THREADS, Thread.ofPlatform().daemon().factory());
    for (int i = 0; i < THREADS; i++) {
      int number = i;
      since[i] = new AtomicLong(System.nanoTime());
      counts.add(pool.submit(() -> work(number, end)));
    }
    watch(counts);
    var sum = new EnumMap<Outcome, Integer>(Outcome.class);
    for (var count : counts) {
      count.get().forEach((outcome, n) -> sum.merge(outcome, n, Integer::sum));
    }
    pool.shutdown();
    for (var model : new AutoCloseable[] {llm.take(), sam.take(), sd.take()}) {
      if (model != null) {
        model.close();
      }
    }
    for (var outcome : Outcome.values()) {
      assertTrue(sum.getOrDefault(outcome, 0) > 0, () -> "none was " + outcome + ": " + sum);
    }
  }

  /// Ends the test with everybody's stack if someone hangs.
  private void watch(List<? extends Future<?>> all) throws InterruptedException {
    while (!all.stream().allMatch(Future::isDone)) {
      Thread.sleep(50);
      for (int i = 0; i < THREADS; i++) {
        long waiting = System.nanoTime() - since[i].get();
        if (!all.get(i).isDone() && waiting > SECONDS.toNanos(HANG_SECONDS)) {
          var stacks = new StringBuilder("thread " + i + " hangs in " + doing.get(i));
          Thread.getAllStackTraces()
              .forEach(
                  (thread, stack) -> {
                    stacks.append("\n").append(thread);
                    List.of(stack).forEach(frame -> stacks.append("\n    ").append(frame));
                  });
          throw new AssertionError(stacks);
        }
      }
    }
  }

  private Map<Outcome, Integer> work(int number, long end) {
    threads.set(number, Thread.currentThread());
    var random = new SplittableRandom(number);
    var outcomes = new EnumMap<Outcome, Integer>(Outcome.class);
    while (System.nanoTime() < end) {
      outcomes.merge(once(number, random), 1, Integer::sum);
      Thread.interrupted();
    }
    return outcomes;
  }

  private Outcome once(int number, SplittableRandom random) {
    int dice = random.nextInt(100);
    String what = "operation " + dice;
    doing.set(number, what);
    since[number].set(System.nanoTime());
    try {
      if (dice < 45) {
        int which = random.nextInt(PROMPTS.size());
        var answer = text(llm.get(), which);
        if (answer.reason() == Generation.Reason.CANCELLED) {
          assertTrue(texts.get(which).startsWith(answer.text()), answer::text);
          return Outcome.CANCELLED;
        }
        assertEquals(texts.get(which), answer.text());
      } else if (dice < 65) {
        int which = random.nextInt(2);
        assertEquals(masks.get(which), mask(sam.get(), which));
      } else if (dice < 75) {
        int which = random.nextInt(2);
        assertEquals(images.get(which), image(sd.get(), which));
      } else if (dice < 93) {
        var thread = threads.get(random.nextInt(THREADS));
        if (thread != null) {
          thread.interrupt();
        }
        Thread.sleep(random.nextInt(5));
      } else {
        close(dice < 97 ? llm : dice < 99 ? sam : sd);
      }
      return Outcome.ANSWERED;
    } catch (CancellationException | InterruptedException e) {
      return Outcome.CANCELLED;
    } catch (IllegalStateException e) {
      assertEquals("the model is closed", e.getMessage());
      return Outcome.CLOSED;
    }
  }

  private static void close(Shared<?> shared) {
    var taken = shared.take();
    try {
      if (taken != null) {
        taken.close();
      }
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }
}
