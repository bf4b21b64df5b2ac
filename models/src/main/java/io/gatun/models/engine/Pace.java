package io.gatun.models.engine;

/// How many prompt tokens are read in a step in which answers are written, so that it takes no more
/// than so many times as long as one in which none are. It is found out by measuring.
final class Pace {
  private static final int FIRST = 16;

  private final double factor;
  private final int most;
  private final double[] alone;
  private double tokens;

  /// @param factor by which a step may be longer
  /// @param most tokens
  /// @param parallel the most answers in a step
  Pace(double factor, int most, int parallel) {
    this.factor = factor;
    this.most = most;
    alone = new double[parallel + 1];
    tokens = Math.min(most, FIRST);
  }

  /// The tokens for the next step; 0 as long as it is not known how long one without them takes.
  int tokens(int answers) {
    return answers == 0 ? most : seconds(answers) == 0 ? 0 : (int) tokens;
  }

  /// Takes in how long a step took.
  ///
  /// @param answers that were written in it
  /// @param read prompt tokens
  /// @param limited whether there would have been more to read
  void measured(int answers, int read, boolean limited, double took) {
    if (answers == 0) {
      return;
    }
    if (read == 0) {
      // Slow ones, as when kernels are still being compiled, are soon forgotten.
      double before = alone[answers];
      double weight = before == 0 ? 1 : took < before ? 0.5 : 0.1;
      alone[answers] = before + weight * (took - before);
      return;
    }
    double alone = seconds(answers);
    double ratio = (factor - 1) * alone / Math.max(took - alone, 1e-3 * alone);
    if (limited || ratio < 1) {
      tokens = Math.clamp(read * Math.clamp(ratio, 0.5, 1.5), 1, most);
    }
  }

  /// The seconds of a step without prompts, of so many answers or the nearest number known; 0 if
  /// none is.
  double seconds(int answers) {
    for (int d = 0; d < alone.length; d++) {
      if (answers - d > 0 && alone[answers - d] > 0) {
        return alone[answers - d];
      }
      if (answers + d < alone.length && alone[answers + d] > 0) {
        return alone[answers + d];
      }
    }
    return 0;
  }
}
