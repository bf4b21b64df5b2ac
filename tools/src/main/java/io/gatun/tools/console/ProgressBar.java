package io.gatun.tools.console;

import java.io.PrintStream;
import java.time.Duration;
import java.util.Locale;

/// A line on a terminal that shows how far a work is and how long it may still take: `steps 40%
/// [======== ] 8/20 0:12, 0:18 left`.
public final class ProgressBar implements AutoCloseable {
  private static final int WIDTH = 30;

  private static final long PAUSE_NANOS = 100_000_000;

  private final PrintStream terminal = System.err;
  private final String task;
  private final String unit;
  private final double unitSize;
  private final long start = System.nanoTime();
  private long shown = start - PAUSE_NANOS;
  private int length;
  private long done;

  /// @param unit behind the figures, each of which stands for `unitSize`
  public ProgressBar(String task, String unit, double unitSize) {
    this.task = SafeWriter.safe(task);
    this.unit = unit;
    this.unitSize = unitSize;
  }

  /// More is done, `by` of `total`.
  public synchronized void add(long by, long total) {
    show(done + by, total, "");
  }

  /// So much of `total` is done; `note` stands at the end of the line.
  public synchronized void show(long nowDone, long total, String note) {
    done = nowDone;
    long now = System.nanoTime();
    if (done < total && now - shown < PAUSE_NANOS) {
      return;
    }
    shown = now;
    double share = total == 0 ? 1 : Math.min(1, (double) done / total);
    int full = (int) (share * WIDTH);
    var passed = Duration.ofNanos(now - start);
    String left =
        done == 0 || done >= total
            ? ""
            : ", " + time(Duration.ofNanos((long) ((now - start) * (1 - share) / share))) + " left";
    String line =
        String.format(
            Locale.ROOT,
            "%s %3.0f%% [%s%s] %.0f/%.0f%s %s%s%s",
            task,
            100 * share,
            "=".repeat(full),
            " ".repeat(WIDTH - full),
            done / unitSize,
            total / unitSize,
            unit,
            time(passed),
            left,
            note);
    terminal.print("\r" + line + " ".repeat(Math.max(0, length - line.length())));
    terminal.flush();
    length = line.length();
  }

  private static String time(Duration time) {
    return "%d:%02d".formatted(time.toMinutes(), time.toSecondsPart());
  }

  /// Ends the line.
  @Override
  public synchronized void close() {
    if (length > 0) {
      terminal.println();
    }
  }
}
