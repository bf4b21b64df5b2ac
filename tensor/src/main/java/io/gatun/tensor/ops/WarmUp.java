package io.gatun.tensor.ops;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Runs a tiny network of the same kind, with weights that are all alike, on a thread of its own
/// while the real one is being loaded: then its kernels are compiled, and the native libraries'
/// functions linked, when the first real input comes.
///
/// The rows are short, so that a kernel runs often enough to be compiled as a whole before it has
/// run long.
public final class WarmUp {
  /// So many times that all kernels are compiled by then.
  private static final int ROUNDS = 60;

  private static final Set<String> BEGUN = ConcurrentHashMap.newKeySet();

  private WarmUp() {}

  /// Begins, unless this process has done so before, and returns at once. Nothing comes of it but
  /// speed: an error ends it.
  ///
  /// @param kind of network
  /// @param network makes a network and gives what it is to do, again and again, in a scope
  public static void begin(String kind, Function<Functional, Runnable> network) {
    if (Runtime.getRuntime().availableProcessors() == 1 || !BEGUN.add(kind)) {
      return;
    }
    var thread = new Thread(() -> run(kind, network), "gatun-warm-up");
    thread.setDaemon(true);
    thread.start();
  }

  private static void run(String kind, Function<Functional, Runnable> network) {
    Logger log = LoggerFactory.getLogger(WarmUp.class);
    long start = System.nanoTime();
    try (var ops = new Ops(Backend.NATIVE, 1)) {
      var f = new Functional(ops, Functional.fastest(Backend.NATIVE));
      var forward = network.apply(f);
      for (int i = 0; i < ROUNDS; i++) {
        try (var _ = f.scope()) {
          forward.run();
        }
      }
      log.debug("kernels for {} warmed up in {} ms", kind, (System.nanoTime() - start) / 1_000_000);
    } catch (RuntimeException | LinkageError e) {
      log.debug("kernels for {} not warmed up", kind, e);
    }
  }
}
