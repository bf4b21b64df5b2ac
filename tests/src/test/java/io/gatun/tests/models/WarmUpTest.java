package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gatun.models.Llm;
import io.gatun.models.decoder.TinyDecoder;
import io.gatun.models.sam.Sam;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Precision;
import io.gatun.tensor.ops.WarmUp;
import io.gatun.tests.Processes;
import io.gatun.tests.TestData;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.api.parallel.ResourceLock;

/// What goes wrong in a warm-up is not seen but in slow first answers.
@Execution(ExecutionMode.CONCURRENT)
@ResourceLock("first calls")
class WarmUpTest {
  @Test
  void segmentAnythingWarmsUp() throws Exception {
    Sam.warmUp().get(2, TimeUnit.MINUTES);
  }

  @Test
  void languageModelsWarmUp() throws Exception {
    var types = Stream.of("INT4_G32", "INT4_G128", "INT4_G32_MIN", "INT8_G32");
    var small = List.of(DType.Plain.BF16, DType.Plain.F32, DType.Block.Q8_0, DType.Block.Q4_K);
    var begun = new ArrayList<CompletableFuture<Void>>();
    types.forEach(type -> begun.add(TinyDecoder.warmUp(DType.Tiled.parse(type), false)));
    small.forEach(type -> begun.add(TinyDecoder.warmUp(type, true)));
    for (var ended : begun) {
      ended.get(2, TimeUnit.MINUTES);
    }
  }

  @Test
  void whatIsDroppedEnds() throws Exception {
    var running = new CountDownLatch(1);
    var dropped = new CountDownLatch(1);
    var rounds = new AtomicInteger();
    var later = new AtomicInteger();
    var end =
        WarmUp.begin(
            "what is dropped",
            Precision.FAST,
            _ ->
                new WarmUp.Stages(
                    () -> {
                      rounds.incrementAndGet();
                      running.countDown();
                      assertDoesNotThrow(() -> dropped.await(1, TimeUnit.MINUTES));
                    },
                    later::incrementAndGet,
                    later::incrementAndGet));
    assumeTrue(Runtime.getRuntime().availableProcessors() > 1, "one processor warms nothing up");
    assertTrue(running.await(1, TimeUnit.MINUTES));
    WarmUp.drop("what is dropped");
    dropped.countDown();
    end.get(1, TimeUnit.MINUTES);
    assertEquals(1, rounds.get());
    assertEquals(0, later.get());
  }

  @Test
  void whatIsAskedForAgainIsNotDropped() {
    var begun = idle("asked for again");
    assertSame(begun, idle("asked for again"));
    WarmUp.drop("asked for again");
    assertSame(begun, idle("asked for again"));
    var once = idle("asked for once");
    WarmUp.drop("asked for once");
    assertNotSame(once, idle("asked for once"));
  }

  private static CompletableFuture<Void> idle(String kind) {
    return WarmUp.begin(kind, Precision.FAST, _ -> new WarmUp.Stages(null, () -> {}, null));
  }

  @Test
  void modelsDropWhatTheyHaveNoUseOf() throws Exception {
    assertProcessSays("dropped");
  }

  @Test
  void smallModelsWarmNothingUp() throws Exception {
    assertProcessSays("nothing", TestData.pretrained("tiny-llm").toString());
    assertProcessSays("begun", "no/model");
    // It does not know where Gatun lies.
    assertProcessSays("nothing", "tiny-llm");
  }

  /// In a process of its own: in this one others may have asked for the same.
  private static void assertProcessSays(String expected, String... args) throws Exception {
    var result = Processes.run(Processes.java(WarmUpTest.class, List.of(), args));
    assertEquals(expected, result.out().strip(), result::toString);
  }

  public static void main(String[] args) {
    if (args.length == 0) {
      var begun = Llm.warmUp();
      Llm.load(TestData.pretrained("tiny-llm")).close();
      System.out.println(begun == Llm.warmUp() ? "kept" : "dropped");
    } else {
      System.out.println(Llm.warmUp(args[0]).isDone() ? "nothing" : "begun");
    }
  }
}
