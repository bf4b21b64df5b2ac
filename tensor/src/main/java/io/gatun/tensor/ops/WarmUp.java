package io.gatun.tensor.ops;

import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.slf4j.LoggerFactory;

/// Runs a tiny network of the same kind, with weights that are all alike, on a thread of its own
/// while the real one is being loaded: then its kernels are compiled, and the native libraries'
/// functions linked, when the first real input comes.
///
/// Its rows are short, so that a kernel is called often enough to be compiled as a whole before it
/// has run long.
public final class WarmUp {
  /// So many times that all kernels are compiled by then.
  private static final int ROUNDS = 60;

  private static final Map<String, CompletableFuture<Void>> BEGUN = new ConcurrentHashMap<>();

  private WarmUp() {}

  /// Begins, unless this process has done so before, and returns at once. Nothing comes of it but
  /// speed, and nothing where there is only one processor.
  ///
  /// @param kind of network
  /// @param network makes a network and gives what it is to do, again and again, in a scope
  /// @return done when it has ended, with the exception that ended it, if any
  public static CompletableFuture<Void> begin(String kind, Function<Functional, Runnable> network) {
    return BEGUN.computeIfAbsent(
        kind,
        k -> {
          var end = new CompletableFuture<Void>();
          if (Runtime.getRuntime().availableProcessors() == 1) {
            end.complete(null);
          } else {
            var thread = new Thread(() -> run(kind, network, end), "gatun-warm-up");
            thread.setDaemon(true);
            thread.start();
          }
          return end;
        });
  }

  private static void run(
      String kind, Function<Functional, Runnable> network, CompletableFuture<Void> end) {
    long start = System.nanoTime();
    try (var ops = new Ops(Backend.NATIVE, 1)) {
      var f = new Functional(ops, Functional.fastest(Backend.NATIVE));
      var forward = network.apply(f);
      for (int i = 0; i < ROUNDS; i++) {
        try (var _ = f.scope()) {
          forward.run();
        }
      }
      long millis = (System.nanoTime() - start) / 1_000_000;
      LoggerFactory.getLogger(WarmUp.class).debug("{} warmed up in {} ms", kind, millis);
      end.complete(null);
    } catch (RuntimeException | LinkageError e) {
      LoggerFactory.getLogger(WarmUp.class).debug("{} not warmed up", kind, e);
      end.completeExceptionally(e);
    }
  }
}
