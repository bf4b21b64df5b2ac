package io.gatun.tools;

import io.gatun.search.IndexReport;
import java.io.PrintWriter;
import java.util.Locale;
import picocli.CommandLine.Model.CommandSpec;

/// Shows a person who looks on how far indexing has come, in one line.
final class IndexProgress {
  private final PrintWriter err;
  private final boolean shows;
  private boolean shown;

  IndexProgress(CommandSpec command) {
    err = command.commandLine().getErr();
    shows = Stdio.of(command).isInteractive();
  }

  void show(IndexReport report) {
    if (shows) {
      err.printf(
          Locale.ROOT,
          "\r%,d documents, %,d passages; %,d unchanged ",
          report.added(),
          report.chunks(),
          report.unchanged());
      err.flush();
      shown = true;
    }
  }

  /// Ends the line.
  void end() {
    if (shown) {
      err.println();
      shown = false;
    }
  }
}
