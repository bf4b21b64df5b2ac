package io.gatun.tools.bench;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/// Measures how long a user waits for the first token: from the command until there is text.
final class FirstToken {
  private static final int RUNS = 5;

  private FirstToken() {}

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
    long start = System.nanoTime();
    return FreshProcess.run(
        List.of(
            "generate",
            "--quiet",
            "--model=" + model,
            "--threads=" + threads,
            "--prompt=ROMEO:",
            "--max-tokens=2",
            "--temp=0",
            "--pack=never"),
        ProcessBuilder.Redirect.DISCARD,
        answer -> {
          if (answer.read() < 0) {
            throw new IllegalStateException("cannot measure the first token: there is none");
          }
          return (System.nanoTime() - start) / 1e9;
        });
  }
}
