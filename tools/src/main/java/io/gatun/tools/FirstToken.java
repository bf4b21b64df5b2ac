package io.gatun.tools;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/// Measures how long a user waits for the first token: from the command until there is text.
final class FirstToken {
  private static final int RUNS = 5;

  private FirstToken() {}

  /// Whether Gatun was started in a way that it can start itself again: by its launcher.
  static boolean canMeasure() {
    return launcher() != null;
  }

  private static Path launcher() {
    String home = System.getProperty("gatun.home");
    Path launcher = home == null ? null : Path.of(home, "tools", "gatun");
    return launcher != null && Files.isExecutable(launcher) ? launcher : null;
  }

  /// Seconds from starting `gatun generate` on a short prompt until the first byte of its answer,
  /// the JVM's start and loading included: the median of a few runs.
  ///
  /// @throws IllegalStateException if it fails
  static double seconds(Path model, int threads) {
    var seconds = new double[RUNS];
    for (int run = -1; run < RUNS; run++) {
      seconds[Math.max(run, 0)] = once(model, threads);
    }
    Arrays.sort(seconds);
    return seconds[RUNS / 2];
  }

  private static double once(Path model, int threads) {
    var command =
        List.of(
            launcher().toString(),
            "generate",
            "--quiet",
            "--model=" + model,
            "--threads=" + threads,
            "--prompt=ROMEO:",
            "--max-tokens=2",
            "--temp=0",
            "--pack=never");
    try {
      long start = System.nanoTime();
      var process =
          new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
      try (var answer = process.getInputStream()) {
        int first = answer.read();
        double seconds = (System.nanoTime() - start) / 1e9;
        answer.readAllBytes();
        if (first < 0 || process.waitFor() != 0) {
          throw new IllegalStateException("cannot measure the first token: failed: " + command);
        }
        return seconds;
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while measuring the first token", e);
    }
  }
}
