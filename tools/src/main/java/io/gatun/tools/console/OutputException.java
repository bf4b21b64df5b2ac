package io.gatun.tools.console;

import java.io.IOException;
import java.io.UncheckedIOException;

/// Thrown where a command's results cannot be written.
public final class OutputException extends UncheckedIOException {
  private static final long serialVersionUID = 1;

  private final boolean isPipe;

  OutputException(IOException cause, boolean isPipe) {
    super(cause);
    this.isPipe = isPipe;
  }

  /// Whether nobody reads any more, as behind `| head -1`.
  boolean isClosedPipe() {
    // The operating system may say it in another language.
    return isPipe || String.valueOf(getCause().getMessage()).contains("Broken pipe");
  }
}
