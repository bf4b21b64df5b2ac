package io.gatun.tests.lifetime;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.concurrent.FutureTask;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;

/// Interrupts what is under way on another thread and sees how soon it ends, in that thread's own
/// time: a machine that is busy with other things does not count.
final class Interruptions {
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private Interruptions() {}

  /// Fails if the work was never ended before half of it was done. Where this thread came too late
  /// with its interrupt, it tries again.
  ///
  /// @param whole the work to its end
  /// @param cancelled the same; whether an interrupt ended it
  static void endsSoon(Runnable whole, BooleanSupplier cancelled) throws Exception {
    long all = Math.min(time(whole), time(whole)); // the first runs code that is not compiled yet
    long took = 0;
    for (int attempt = 0; attempt < 20; attempt++) {
      var done = new FutureTask<>(() -> timeUntilCancelled(cancelled));
      var thread = Thread.ofPlatform().daemon().start(done);
      while (!computes(thread) && !done.isDone()) {
        Thread.sleep(1);
      }
      thread.interrupt();
      took = done.get(100, SECONDS);
      if (took < all / 2) {
        return;
      }
    }
    fail("%d of %d ns".formatted(took, all));
  }

  private static long timeUntilCancelled(BooleanSupplier cancelled) {
    long before = THREADS.getCurrentThreadCpuTime();
    if (!cancelled.getAsBoolean()) {
      return Long.MAX_VALUE;
    }
    assertTrue(Thread.interrupted(), "the thread does not know that it was interrupted");
    return THREADS.getCurrentThreadCpuTime() - before;
  }

  private static long time(Runnable whole) {
    long before = THREADS.getCurrentThreadCpuTime();
    whole.run();
    return THREADS.getCurrentThreadCpuTime() - before;
  }

  private static boolean computes(Thread thread) {
    return Stream.of(thread.getStackTrace())
        .anyMatch(frame -> frame.getClassName().startsWith("io.gatun.tensor.kernel"));
  }
}
