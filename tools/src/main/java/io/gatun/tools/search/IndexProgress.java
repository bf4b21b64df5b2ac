package io.gatun.tools.search;

import io.gatun.search.IndexReport;
import io.gatun.tools.console.Stdio;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
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
          "\r%,d new or changed, %,d passages or pictures; %,d unchanged ",
          report.added(),
          report.chunks(),
          report.unchanged());
      err.flush();
      shown = true;
    }
  }

  /// A report by the names that JSON has for it.
  static Map<String, Object> fields(IndexReport report) {
    var map = new LinkedHashMap<String, Object>();
    map.put("added", report.added());
    map.put("unchanged", report.unchanged());
    map.put("removed", report.removed());
    map.put("ignored", report.ignored());
    map.put("failures", report.failures());
    return map;
  }

  /// Ends the line.
  void end() {
    if (shown) {
      err.println();
      shown = false;
    }
  }
}
