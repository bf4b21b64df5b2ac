package io.gatun.tools.options;

import io.gatun.loaders.hub.HubProgress;
import io.gatun.tools.console.Interrupts;
import io.gatun.tools.console.ProgressBar;
import io.gatun.tools.console.Stdio;
import io.gatun.tools.console.Units;
import java.io.PrintWriter;
import java.util.Locale;
import picocli.CommandLine.Model.CommandSpec;

/// Shows how far a download is: a bar with the rate where a person looks on, else a line at its
/// start and one at its end.
public final class PullProgress implements HubProgress, AutoCloseable {
  private final CommandSpec command;
  private final PrintWriter err;
  private ProgressBar bar;
  private String name;
  private long bytes;
  private long begunWith;
  private long done;
  private long start;

  /// The client's own buffers of 16 KB, of a system's packets, take most of the time on fast
  /// networks.
  private static final String BUFFER_SIZE = "jdk.httpclient.bufsize";

  /// @param command the command, or a mixin of it
  public PullProgress(CommandSpec command) {
    this.command = command.commandLine().getCommandSpec();
    err = command.commandLine().getErr();
    if (System.getProperty(BUFFER_SIZE) == null) {
      System.setProperty(BUFFER_SIZE, String.valueOf(128 << 10));
    }
  }

  @Override
  public synchronized void begin(String model, int files, long all, long there) {
    if (there == all) {
      return;
    }
    name = model;
    bytes = all;
    begunWith = there;
    done = there;
    start = System.nanoTime();
    err.printf(
        "fetching %s: %d file%s, %s%s%n",
        name,
        files,
        files == 1 ? "" : "s",
        Units.bytes(all),
        there == 0 ? "" : ", of which %s are there".formatted(Units.bytes(there)));
    err.flush();
    if (Stdio.of(command).isInteractive()) {
      bar = new ProgressBar(shortName(), " MB", 1e6);
    }
    Interrupts.of(command)
        .keeps(
            () ->
                "%s of %s are there; the same command goes on from them"
                    .formatted(Units.bytes(done), name));
  }

  private String shortName() {
    return name.substring(name.lastIndexOf('/') + 1);
  }

  @Override
  public synchronized void advance(long more) {
    done += more;
    if (bar != null) {
      bar.show(done, bytes, ", " + rate());
    }
  }

  private String rate() {
    double seconds = (System.nanoTime() - start) / 1e9;
    return String.format(Locale.ROOT, "%.1f MB/s", (done - begunWith) / 1e6 / seconds);
  }

  @Override
  public synchronized void note(String line) {
    err.println((bar == null ? "" : "\n") + line);
    err.flush();
  }

  /// Says what came of it.
  @Override
  public synchronized void close() {
    if (bar != null) {
      bar.close();
    }
    if (name != null && done >= bytes) {
      double seconds = (System.nanoTime() - start) / 1e9;
      err.printf("%s is there after %.1f s, %s%n", name, seconds, rate());
      err.flush();
      Interrupts.of(command).keeps(() -> "");
    }
  }
}
