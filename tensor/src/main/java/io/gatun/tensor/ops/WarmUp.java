package io.gatun.tensor.ops;

import io.gatun.ffm.raw.RawReaders;
import io.gatun.tensor.kernel.dense.FirstCalls;
import io.gatun.tensor.kernel.dense.FirstCalls.Compiling;
import io.gatun.tensor.kernel.tiled.TiledProduct;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import org.slf4j.LoggerFactory;

/// Runs a tiny network of the same kind, with weights that are all alike, on a thread of its own
/// while the real one is being loaded: then its kernels are compiled, and the native libraries'
/// functions linked, when the first real input comes; or the products with its weights are, and the
/// rest soon after ([Stages]).
///
/// Its rows are short, so that a kernel is called often enough to be compiled as a whole before it
/// has run long. Once all kernels are due to be compiled, it looks now and then whether they are,
/// and leaves the processor to the compiler.
public final class WarmUp {
  /// So many times at once that all kernels are due to be compiled.
  private static final int ROUNDS_AT_ONCE = 12;

  /// So many times that all kernels are compiled by then.
  private static final int ROUNDS = 60;

  /// The pause after a round, in times of it.
  private static final int PAUSE = 4;

  /// What runs in less time has all been compiled.
  private static final long COMPILED_NANOS = 1_000_000;

  /// So has, on a slower machine, what has not got faster by a sixth in so many rounds.
  private static final int ROUNDS_ALIKE = 4;

  private static final long AWAITED_MILLIS = 1500;

  /// Rows of a first step that are done sooner by what serves in the place of kernels than these
  /// are compiled.
  private static final int FEW_ROWS = 32;

  /// So many steps are made sooner, too.
  private static final int FEW_STEPS = 16;

  /// Who has not begun a step for so long is not going to begin one soon.
  private static final long IDLE_NANOS = 700_000_000;

  /// Who has not ended one after so long gains more by the compiler than is lost to it.
  private static final long LONG_NANOS = 2_000_000_000;

  private static final long LOOK_MILLIS = 10;

  /// By then there is a first answer.
  private static final long LATER_MILLIS = 2000;

  private static final Map<String, WarmUp> BEGUN = new ConcurrentHashMap<>();

  /// Done when the compiler may have the processors: the first steps of few rows have been made, or
  /// one of many waits for it.
  private static final CompletableFuture<Void> ROOM = new CompletableFuture<>();

  /// How many steps have been made, and until when the next is waited for.
  private static int steps;

  private static volatile long awaited = System.nanoTime();

  /// In how many kernels of a first answer are still to be compiled: others serve meanwhile.
  private static int unfinished;

  /// Whether they have been once: what others add then does not hold up who is at work.
  private static volatile boolean isCompiled;

  /// In how many several rows are multiplied one by one.
  private static int rowByRow;

  private final String kind;
  private final CompletableFuture<Void> products = new CompletableFuture<>();
  private final CompletableFuture<Void> first = new CompletableFuture<>();
  private final CompletableFuture<Void> end = new CompletableFuture<>();

  /// Whether it was asked for again.
  private volatile boolean isConfirmed;

  /// Whether there is going to be no real work of that kind.
  private volatile boolean isDropped;

  private WarmUp(String kind) {
    this.kind = kind;
  }

  /// What a tiny network does, again and again, each time in a scope.
  ///
  /// @param products with weights, where nothing serves in their place, so that real input waits
  ///   for them; or null
  /// @param first what else a first answer takes; several rows of activations are multiplied with a
  ///   tiled weight one by one, also in the real network
  /// @param later what can be compiled when there is a first answer
  public record Stages(Runnable products, Runnable first, Runnable later) {}

  /// Begins, unless this process has done so before, and returns at once. Nothing comes of it but
  /// speed, and nothing where there is only one processor.
  ///
  /// @param kind of network
  /// @return done when it has ended, with the exception that ended it, if any
  public static CompletableFuture<Void> begin(
      String kind, Precision precision, Function<Ops, Stages> network) {
    return BEGUN.compute(
            kind,
            (k, begun) -> {
              if (begun != null) {
                begun.isConfirmed = true;
                return begun;
              }
              var warmUp = new WarmUp(k);
              if (Runtime.getRuntime().availableProcessors() == 1) {
                warmUp.end(null);
              } else {
                new Compiling(() -> warmUp.run(precision, network), "gatun-warm-up").start();
              }
              return warmUp;
            })
        .end;
  }

  /// Ends the warm-up for a kind of network, after what it is just doing, if it was begun once: on
  /// suspicion, and what came has no use of it. Nobody waits for it, and it may begin anew.
  public static void drop(String kind) {
    BEGUN.computeIfPresent(
        kind,
        (k, warmUp) -> {
          warmUp.isDropped = !warmUp.isConfirmed;
          return warmUp.isDropped ? null : warmUp;
        });
  }

  /// Called before a step with real input: waits for what it needs, but not for long, as it takes
  /// longer than that if it comes before its kernels are compiled.
  ///
  /// @param rows of the input
  public static void await(int rows) {
    if (ROOM.isDone()) {
      return;
    }
    boolean few = rows <= FEW_ROWS;
    awaited = System.nanoTime() + LONG_NANOS;
    if (!few) {
      ROOM.complete(null);
    }
    for (var warmUp : BEGUN.values()) {
      try {
        waitFor(few ? warmUp.products : warmUp.first);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }

  private static void waitFor(CompletableFuture<Void> end) throws InterruptedException {
    try {
      end.get(AWAITED_MILLIS, TimeUnit.MILLISECONDS);
    } catch (ExecutionException | TimeoutException e) {
      // Only speed is lost.
    }
  }

  /// Called after a step with real input.
  public static void stepped() {
    if (!ROOM.isDone()) {
      awaited = System.nanoTime() + IDLE_NANOS;
      steps++;
      if (steps >= FEW_STEPS) {
        ROOM.complete(null);
      }
    }
  }

  private void end(Throwable failure) {
    if (failure == null) {
      products.complete(null);
      first.complete(null);
      end.complete(null);
    } else {
      LoggerFactory.getLogger(WarmUp.class).debug("{}: not warmed up", kind, failure);
      products.completeExceptionally(failure);
      first.completeExceptionally(failure);
      end.completeExceptionally(failure);
    }
  }

  private void run(Precision precision, Function<Ops, Stages> network) {
    // It reads nothing but its own: who closes a file meanwhile need not wait for it.
    RawReaders.beginWait();
    try (var ops = new Ops(Backend.NATIVE, 1, precision)) {
      var stages = network.apply(ops);
      if (stages.later == null) {
        compile("", ops, stages.first);
      } else {
        compileInTurn(ops, stages);
      }
      end(null);
    } catch (RuntimeException | LinkageError | InterruptedException e) {
      end(e);
    } finally {
      RawReaders.endWait();
    }
  }

  private void compileInTurn(Ops ops, Stages stages) throws InterruptedException {
    count(1, 1);
    try {
      try {
        if (stages.products != null) {
          compile(", products", ops, stages.products);
        }
        products.complete(null);
        leaveRoom();
        compile("", ops, stages.first);
        first.complete(null);
        isCompiled |= !isDropped;
      } finally {
        count(-1, 0);
      }
      if (!isDropped) {
        TimeUnit.MILLISECONDS.sleep(LATER_MILLIS);
      }
    } finally {
      count(0, -1);
    }
    compile(", several rows", ops, stages.later);
  }

  /// Lets the first steps have the processors to themselves.
  private void leaveRoom() throws InterruptedException {
    long begun = System.nanoTime() + IDLE_NANOS;
    while (!isDropped && !ROOM.isDone() && (isAhead(begun) || isAhead(awaited))) {
      TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
    }
  }

  /// Of the times that the system's clock gives, which has no zero, only differences count.
  private static boolean isAhead(long nanoTime) {
    return nanoTime - System.nanoTime() > 0;
  }

  private static synchronized void count(int served, int alone) {
    unfinished += served;
    rowByRow += alone;
    FirstCalls.serve(unfinished > 0 && !isCompiled);
    TiledProduct.setTogether(rowByRow == 0);
  }

  private void compile(String what, Ops ops, Runnable forward) throws InterruptedException {
    long start = System.nanoTime();
    int rounds = 0;
    int alike = 0;
    long took = Long.MAX_VALUE;
    long least = Long.MAX_VALUE;
    while (!isDropped && rounds < ROUNDS && alike < ROUNDS_ALIKE && took > COMPILED_NANOS) {
      long begun = System.nanoTime();
      try (var _ = ops.scope()) {
        forward.run();
      }
      took = System.nanoTime() - begun;
      rounds++;
      alike = rounds <= ROUNDS_AT_ONCE || took < least - least / 6 ? 0 : alike + 1;
      least = Math.min(least, took);
      if (rounds >= ROUNDS_AT_ONCE) {
        TimeUnit.NANOSECONDS.sleep(PAUSE * took);
      }
    }
    long millis = (System.nanoTime() - start) / 1_000_000;
    LoggerFactory.getLogger(WarmUp.class)
        .debug("{}{}: warmed up in {} ms, {} runs", kind, what, millis, rounds);
  }
}
