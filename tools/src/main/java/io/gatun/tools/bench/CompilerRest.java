package io.gatun.tools.bench;

import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;

/// When a measurement may begin: once the JIT compiler, which takes its time from what is measured,
/// has come to rest.
final class CompilerRest {
  /// So long it must have compiled next to nothing.
  private static final long REST_NANOS = 700_000_000L;

  private static final long LITTLE_MILLIS = 30;

  private static final CompilationMXBean COMPILER = ManagementFactory.getCompilationMXBean();

  private final long first;
  private final long last;
  private long compiled;
  private long since;

  /// @param least nanoseconds from now on before which it is not said to rest
  /// @param most after which it is not waited for any longer
  CompilerRest(long least, long most) {
    long now = System.nanoTime();
    first = now + least;
    last = now + most;
    since = now;
    compiled = COMPILER.getTotalCompilationTime();
  }

  /// Whether it rests now; ask again and again.
  boolean isReached() {
    long now = System.nanoTime();
    long total = COMPILER.getTotalCompilationTime();
    if (total - compiled > LITTLE_MILLIS) {
      compiled = total;
      since = now;
    }
    return now - last >= 0 || (now - first >= 0 && now - since >= REST_NANOS);
  }
}
