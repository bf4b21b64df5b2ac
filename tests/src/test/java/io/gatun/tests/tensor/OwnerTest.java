package io.gatun.tests.tensor;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tensor.DType.Plain;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.runtime.Owner;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;

/// One thread at a time, and none after close.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class OwnerTest {
  private static final String CLOSED = "the model is closed";

  private final ExecutorService other = Executors.newCachedThreadPool();

  @AfterEach
  void end() {
    other.shutdownNow();
  }

  private static Tensor tensor(long... dims) {
    return Tensor.allocate(Arena.ofAuto(), Plain.F32, dims);
  }

  /// Every operation that there is, on small tensors.
  private static Map<String, Executable> operations(Ops ops) {
    var f = new Functional(ops, Plain.F32);
    var cache = Cached.of(1, 32, Plain.F32, 64);
    Tensor x = tensor(4, 32);
    Tensor y = tensor(4, 32);
    Tensor one = tensor(1, 32);
    Tensor w = tensor(32, 32);
    Tensor c = tensor(32);
    Tensor heads = tensor(4, 1, 32);
    Tensor image = tensor(1, 4, 4, 32);
    Tensor kernels = tensor(32, 32, 3, 3);
    var linear = LinearWeight.of(w, null);
    var conv = ConvWeight.same(kernels, null);
    var all = new LinkedHashMap<String, Executable>();
    all.put("empty", () -> ops.empty(3));
    all.put("scope", () -> ops.scope().close());
    all.put("take", () -> ops.workspace().take(64));
    all.put("trim", () -> ops.workspace().trim());
    all.put("forEach", () -> ops.workers().forEach(1000, 1, (worker, from, to) -> {}));
    all.put("embedding", () -> ops.embedding(new int[] {1}, w));
    all.put("gatherRows", () -> ops.gatherRows(x, new int[] {1}));
    all.put("linear", () -> ops.linear(x, w));
    all.put("linears", () -> ops.linears(x, w, w));
    all.put("activations", () -> ops.activations(x));
    all.put("normed", () -> ops.normed(x, c, 1e-5f));
    all.put("addBias", () -> ops.addBias(y, c));
    all.put("rmsNorm", () -> ops.rmsNorm(x, c, 1e-5f));
    all.put("addInPlace", () -> ops.addInPlace(y, x));
    all.put("mulInPlace", () -> ops.mulInPlace(y, x));
    all.put("siluMulInPlace", () -> ops.siluMulInPlace(y, x));
    all.put("softcap", () -> ops.softcap(y, 2));
    all.put("addScaledRow", () -> ops.addScaledRow(y, 1, one, 2));
    all.put("rope", () -> ops.rope(heads, x, x, false));
    all.put("softmax", () -> ops.softmax(y));
    all.put("logSoftmax", () -> ops.logSoftmax(y, new int[] {0, 1, 2, 3}));
    all.put("put", () -> cache.put(ops, 0, heads, heads));
    all.put("attention", () -> cache.attention(ops, heads, 0, new AttentionSpec(1, 0)));
    all.put("argmax", () -> ops.argmax(x, 0));
    all.put("f.empty", () -> f.empty(3));
    all.put("f.scope", () -> f.scope().close());
    all.put("f.releaseWeights", f::releaseWeights);
    all.put("f.cast", () -> f.cast(x));
    all.put("f.toF32", () -> f.toF32(x));
    all.put("f.embedding", () -> f.embedding(new int[] {1}, w));
    all.put("f.linear", () -> f.linear(x, linear));
    all.put("f.addLinear", () -> f.addLinear(y, x, linear));
    all.put("f.linearGeglu", () -> f.linearGeglu(x, linear));
    all.put("f.matmulTransposed", () -> f.matmulTransposed(tensor(1, 4, 32), tensor(1, 4, 32)));
    all.put("f.conv2d", () -> f.conv2d(image, conv));
    var each = ConvWeight.same(tensor(32, 1, 3, 3), null);
    all.put("f.depthwiseConv2d", () -> f.depthwiseConv2d(image, each));
    all.put("f.maxPool2x2", () -> f.maxPool2x2(image));
    all.put("f.addConv2d", () -> f.addConv2d(tensor(1, 4, 4, 32), image, conv));
    all.put("f.layerNorm", () -> f.layerNorm(x, c, c, 1e-5f));
    all.put("f.groupNorm", () -> f.groupNorm(image, 2, c, c, 1e-5f, Activation.SILU));
    all.put("f.activate", () -> f.activate(x, Activation.GELU));
    all.put("f.geglu", () -> f.geglu(x));
    all.put("f.add", () -> f.add(x, y));
    all.put("f.scale", () -> f.scale(x, 2));
    all.put("f.concat", () -> f.concat(x, y));
    var tokens = tensor(1, 4, 32);
    all.put("f.attention", () -> f.attention(tokens, tokens, tokens, 1, AttentionSpec.full(1)));
    all.put("f.windowPartition", () -> f.windowPartition(image, 2, null));
    all.put("f.windowUnpartition", () -> f.windowUnpartition(tensor(4, 4, 32), 2, 1, 4, 4));
    all.put("f.upsampleNearest2x", () -> f.upsampleNearest2x(image));
    all.put("f.resizeBilinear", () -> f.resizeBilinear(image, 8, 8));
    return all;
  }

  @Test
  void everyOperationWorksAndAfterCloseSaysThatTheModelIsClosed() {
    for (int threads : new int[] {1, 2}) {
      var ops = new Ops(Backend.NATIVE, threads);
      var operations = operations(ops);
      operations.forEach((name, operation) -> assertDoesNotThrow(operation, name));
      ops.close();
      ops.close();
      operations.forEach(
          (name, operation) ->
              assertEquals(
                  CLOSED, assertThrows(IllegalStateException.class, operation, name).getMessage()));
    }
  }

  @Test
  void aSecondThreadIsRefusedAtOnceWhileAScopeIsOpen() throws Exception {
    try (var ops = new Ops(Backend.NATIVE, 2)) {
      var operations = operations(ops);
      var refused = new ArrayList<Future<?>>();
      try (var _ = ops.scope()) {
        for (var e : operations.entrySet()) {
          refused.add(
              other.submit(
                  () -> {
                    var error = assertThrows(IllegalStateException.class, e.getValue(), e.getKey());
                    assertTrue(error.getMessage().contains("another thread"), error::getMessage);
                  }));
        }
        for (var each : refused) {
          each.get(50, SECONDS);
        }
        ops.linear(tensor(1, 32), tensor(32, 32));
      }
      other.submit(() -> ops.linear(tensor(1, 32), tensor(32, 32))).get(50, SECONDS);
    }
  }

  @Test
  void whatASecondThreadIsRefusedWouldHaveBeenOverwritten() throws Exception {
    try (var ops = new Ops(Backend.NATIVE, 1)) {
      Tensor mine;
      try (var _ = ops.scope()) {
        mine = ops.empty(16);
        mine.segment().fill((byte) 7);
        var scope = other.submit(() -> assertThrows(IllegalStateException.class, ops::scope));
        scope.get(50, SECONDS);
        var theirs =
            other.submit(() -> assertThrows(IllegalStateException.class, () -> ops.empty(16)));
        theirs.get(50, SECONDS);
        assertNotSameMemory(mine, ops.empty(16));
      }
    }
  }

  private static void assertNotSameMemory(Tensor a, Tensor b) {
    assertTrue(a.segment().asOverlappingSlice(b.segment()).isEmpty());
  }

  @Test
  void aScopeIsClosedByTheThreadThatOpenedIt() throws Exception {
    try (var ops = new Ops(Backend.NATIVE, 1)) {
      var scope = ops.scope();
      other.submit(() -> assertThrows(IllegalStateException.class, scope::close)).get(50, SECONDS);
      scope.close();
      scope.close();
      other.submit(() -> ops.empty(1)).get(50, SECONDS);
    }
  }

  @Test
  void closeWaitsForTheOperationThatRuns() throws Exception {
    var ops = new Ops(Backend.NATIVE, 2);
    var inside = new CountDownLatch(1);
    var goOn = new CountDownLatch(1);
    var memory = ops.empty(16);
    var operation =
        other.submit(
            () -> {
              ops.workers()
                  .forEach(
                      2,
                      1,
                      (worker, from, to) -> {
                        inside.countDown();
                        await(goOn);
                        memory.segment().fill((byte) 1);
                      });
              assertThrows(IllegalStateException.class, () -> ops.empty(1));
            });
    await(inside);
    var close = other.submit(ops::close);
    Thread.sleep(50);
    assertFalse(close.isDone());
    assertTrue(memory.segment().scope().isAlive());
    goOn.countDown();
    close.get(50, SECONDS);
    operation.get(50, SECONDS);
    assertFalse(memory.segment().scope().isAlive());
  }

  @Test
  void closeEndsWhatRunsAtItsNextOperation() throws Exception {
    for (int threads : new int[] {1, 2}) {
      var ops = new Ops(Backend.NATIVE, threads);
      var begun = new CountDownLatch(1);
      var running =
          other.submit(
              () -> {
                try (var _ = ops.owner().turn()) {
                  var w = tensor(256, 256);
                  while (true) {
                    try (var _ = ops.scope()) {
                      ops.linear(tensor(64, 256), w);
                    }
                    begun.countDown();
                  }
                } catch (IllegalStateException e) {
                  return e.getMessage();
                }
              });
      await(begun);
      ops.close();
      assertEquals(CLOSED, running.get(50, SECONDS));
    }
  }

  @Test
  void threadsWaitForTheirTurnInTheOrderInWhichTheyCame() throws Exception {
    try (var ops = new Ops(Backend.NATIVE, 1)) {
      var order = new ArrayList<Integer>();
      var started = new ArrayList<Thread>();
      try (var _ = ops.owner().turn()) {
        for (int i = 0; i < 5; i++) {
          int number = i;
          var thread =
              Thread.ofPlatform()
                  .start(
                      () -> {
                        try (var _ = ops.owner().turn();
                            var _ = ops.owner().turn()) {
                          order.add(number);
                        }
                      });
          started.add(thread);
          while (thread.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
          }
        }
      }
      for (Thread thread : started) {
        thread.join();
      }
      assertEquals(List.of(0, 1, 2, 3, 4), order);
    }
  }

  @Test
  void anInterruptEndsWaitingAndWhatRunsWithinATurnButNoSingleOperation() throws Exception {
    try (var ops = new Ops(Backend.NATIVE, 1)) {
      Future<?> waiting;
      try (var _ = ops.owner().turn()) {
        waiting =
            other.submit(
                () -> {
                  Thread.currentThread().interrupt();
                  assertThrows(CancellationException.class, () -> ops.owner().turn());
                  assertTrue(Thread.interrupted());
                });
        waiting.get(50, SECONDS);
        Thread.currentThread().interrupt();
        assertThrows(CancellationException.class, () -> ops.linear(tensor(1, 32), tensor(32, 32)));
        assertTrue(Thread.currentThread().isInterrupted());
      }
      ops.linear(tensor(1, 32), tensor(32, 32));
      assertTrue(Thread.interrupted());
    }
  }

  @Test
  void closeNeedNotWaitForACallback() throws Exception {
    var owner = new Owner("door");
    var freed = new AtomicInteger();
    try (var _ = owner.turn();
        var _ = owner.turn()) {
      var waiting = new AtomicBoolean();
      owner.callback(
          () -> {
            var turn =
                other.submit(
                    () -> {
                      waiting.set(true);
                      return assertThrows(IllegalStateException.class, owner::turn).getMessage();
                    });
            assertThrows(
                IllegalStateException.class,
                () ->
                    owner.callback(
                        () -> {
                          try (var _ = owner.turn()) {
                            get(other.submit(owner::claim));
                          }
                        }));
            while (!waiting.get()) {
              Thread.onSpinWait();
            }
            assertFalse(turn.isDone());
            get(other.submit(() -> owner.close(freed::incrementAndGet)));
            assertEquals("the door is closed", get(turn));
          });
      assertThrows(IllegalStateException.class, owner::claim);
    }
    owner.close(freed::incrementAndGet);
    assertEquals(1, freed.get());
  }

  @Test
  void tasksCanNeitherShareOutWorkNorClose() {
    for (int threads : new int[] {1, 3}) {
      try (var ops = new Ops(Backend.NATIVE, threads);
          var alone = new Workers(threads)) {
        for (var workers : List.of(ops.workers(), alone)) {
          for (Executable call :
              List.<Executable>of(
                  () -> workers.forEach(10, 1, (worker, from, to) -> {}), workers::close)) {
            var refused = new AtomicInteger();
            workers.forEach(
                100,
                1,
                (worker, from, to) -> {
                  assertThrows(IllegalStateException.class, call);
                  refused.addAndGet((int) (to - from));
                });
            assertEquals(100, refused.get());
          }
        }
      }
    }
  }

  @Test
  void anErrorOfATaskReachesTheCallerAndTheTeamGoesOn() {
    try (var workers = new Workers(3)) {
      for (Error error :
          List.of(new OutOfMemoryError("full"), new StackOverflowError(), new AssertionError())) {
        for (int round = 0; round < 100; round++) {
          var thrown =
              assertThrows(
                  Error.class,
                  () ->
                      workers.forEach(
                          64,
                          1,
                          (worker, from, to) -> {
                            throw error;
                          }));
          assertSame(error, thrown);
          var sum = new AtomicInteger();
          workers.forEach(64, 1, (worker, from, to) -> sum.addAndGet((int) (to - from)));
          assertEquals(64, sum.get());
        }
      }
    }
  }

  @Test
  void anInterruptDoesNotLeaveThreadsBehind() {
    var helpers = new ArrayList<Thread>();
    var workers = new Workers(3);
    var met = new CountDownLatch(3);
    workers.forEach(
        3,
        1,
        (worker, from, to) -> {
          if (worker > 0) {
            synchronized (helpers) {
              helpers.add(Thread.currentThread());
            }
          }
          met.countDown();
          await(met);
        });
    Thread.currentThread().interrupt();
    workers.close();
    assertTrue(Thread.interrupted());
    assertEquals(2, helpers.size());
    helpers.forEach(helper -> assertFalse(helper.isAlive()));
    workers.close();
  }

  @Test
  void workersAreClosedOnlyOnce() {
    for (int threads : new int[] {1, 2}) {
      var workers = new Workers(threads);
      workers.close();
      workers.close();
      var e =
          assertThrows(
              IllegalStateException.class,
              () -> workers.forEach(1000, 1, (worker, from, to) -> {}));
      assertEquals("the team of threads is closed", e.getMessage());
    }
  }

  @Test
  void theWorkspaceSurvivesWhatItCannotGive() {
    try (var ops = new Ops(Backend.SCALAR, 1)) {
      var workspace = ops.workspace();
      var kept = workspace.take(1 << 10).fill((byte) 1);
      try (var _ = workspace.scope()) {
        workspace.take(17 << 20); // a second slab, in which nothing lies after this
      }
      for (long impossible : new long[] {1L << 55, Long.MAX_VALUE - 3, -1}) {
        assertThrows(OutOfMemoryError.class, () -> workspace.take(impossible));
        for (long possible : new long[] {1 << 10, 16 << 20, 20 << 20}) {
          try (var _ = workspace.scope()) {
            var taken = workspace.take(possible).fill((byte) 2);
            assertTrue(taken.asOverlappingSlice(kept).isEmpty());
          }
        }
      }
      assertArrayEquals(new byte[] {1, 1}, kept.asSlice(0, 2).toArray(ValueLayout.JAVA_BYTE));
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      assertTrue(latch.await(50, SECONDS));
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static <T> T get(Future<T> future) {
    try {
      return future.get(50, SECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new AssertionError(e);
    } catch (InterruptedException | TimeoutException e) {
      throw new AssertionError(e);
    }
  }
}
