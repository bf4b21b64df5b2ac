package io.gatun.loaders;

import java.nio.channels.ClosedByInterruptException;
import java.util.concurrent.CancellationException;

/// Tells an interrupt from a damaged file: on an interrupted thread reading fails, too.
public final class Interruption {
  private Interruption() {}

  /// What to throw for `e`: a [CancellationException] if an interrupt was its cause, else `e`. The
  /// thread is still interrupted.
  public static RuntimeException or(RuntimeException e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof ClosedByInterruptException) {
        return (RuntimeException) new CancellationException("interrupted").initCause(e);
      }
    }
    return e;
  }
}
