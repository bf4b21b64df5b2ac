package io.gatun.tests;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.function.Supplier;

/// What an answer to a hostile file may take: 10 s of the thread's own time, so that a busy machine
/// does not count (a slow one does), and 256 MB of heap, garbage included.
public final class Limits {
  private static final long NANOSECONDS = 10_000_000_000L;
  private static final long BYTES = 256L << 20;
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private Limits() {}

  /// The result of `body`, which this thread computes alone.
  public static <T> T within(Supplier<T> body) {
    long time = THREADS.getCurrentThreadCpuTime();
    long heap = THREADS.getCurrentThreadAllocatedBytes();
    T result = body.get();
    long nanoseconds = THREADS.getCurrentThreadCpuTime() - time;
    long bytes = THREADS.getCurrentThreadAllocatedBytes() - heap;
    assertTrue(nanoseconds < NANOSECONDS, "took %.1f s".formatted(nanoseconds / 1e9));
    assertTrue(bytes < BYTES, "took %d MB of heap".formatted(bytes >> 20));
    return result;
  }
}
