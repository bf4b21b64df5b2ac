package io.gatun.tensor.ops;

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
/// functions linked, when the first real input comes.
///
/// Its rows are short, so that a kernel is called often enough to be compiled as a whole before it
/// has run long. Between its runs it leaves the processor to the compiler.
public final class WarmUp {
  /// So many times that all kernels are compiled by then.
  private static final int ROUNDS = 60;

  /// So many times at once that all kernels are due to be compiled.
  private static final int ROUNDS_AT_ONCE = 4;

  private static final long PAUSE_NANOS = 10_000_000;

  /// What runs in less time has all been compiled.
  private static final long COMPILED_NANOS = 1_000_000;

  private static final long AWAITED_MILLIS = 1500;

  private static final Map<String, CompletableFuture<Void>> BEGUN = new ConcurrentHashMap<>();

  private WarmUp() {}

  /// Begins, unless this process has done so before, and returns at once. Nothing comes of it but
  /// speed, and nothing where there is only one processor.
  ///
  /// @param kind of network
  /// @param network makes a network and gives what it is to do, again and again, in a scope
  /// @return done when it has ended, with the exception that ended it, if any
  public static CompletableFuture<Void> begin(
      String kind, Precision precision, Function<Ops, Runnable> network) {
    return BEGUN.computeIfAbsent(
        kind,
        k -> {
          var end = new CompletableFuture<Void>();
          if (Runtime.getRuntime().availableProcessors() == 1) {
            end.complete(null);
          } else {
            var thread = new Thread(() -> run(kind, precision, network, end), "gatun-warm-up");
            thread.setDaemon(true);
            thread.start();
          }
          return end;
        });
  }

  /// Whether any has begun.
  public static boolean hasBegun() {
    return !BEGUN.isEmpty();
  }

  /// Waits for those that have begun, but not for long: real input that comes before its kernels
  /// are compiled takes longer than that.
  public static void await() {
    for (var end : BEGUN.values()) {
      try {
        end.get(AWAITED_MILLIS, TimeUnit.MILLISECONDS);
      } catch (ExecutionException | TimeoutException e) {
        // Only speed is lost.
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }

  private static void run(
      String kind,
      Precision precision,
      Function<Ops, Runnable> network,
      CompletableFuture<Void> end) {
    long start = System.nanoTime();
    try (var ops = new Ops(Backend.NATIVE, 1, precision)) {
      var forward = network.apply(ops);
      int rounds = 0;
      long took;
      do {
        long begun = System.nanoTime();
        try (var _ = ops.scope()) {
          forward.run();
        }
        took = System.nanoTime() - begun;
        rounds++;
        if (rounds >= ROUNDS_AT_ONCE) {
          TimeUnit.NANOSECONDS.sleep(Math.min(took, PAUSE_NANOS));
        }
      } while (rounds < ROUNDS && took > COMPILED_NANOS);
      long millis = (System.nanoTime() - start) / 1_000_000;
      LoggerFactory.getLogger(WarmUp.class)
          .debug("{}: warmed up in {} ms, {} runs", kind, millis, rounds);
      end.complete(null);
    } catch (RuntimeException | LinkageError | InterruptedException e) {
      LoggerFactory.getLogger(WarmUp.class).debug("{}: not warmed up", kind, e);
      end.completeExceptionally(e);
    }
  }
}
