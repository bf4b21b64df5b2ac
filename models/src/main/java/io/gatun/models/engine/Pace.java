package io.gatun.models.engine;

/// How many prompt tokens are read in a step in which answers are written, so that it takes no more
/// than so many times as long as one in which none are. It is found out by measuring.
///
/// Where more prompts are read than answers are written, the step may be longer: each of them has
/// the same right to be computed.
final class Pace {
  private static final int FIRST = 16;

  /// By how much one step can change it: steps that are too long are worse than those that are too
  /// short.
  private static final double LESS = 0.8;

  private static final double MORE = 1.05;

  private final double factor;
  private final int most;
  private final double[] alone;

  /// Tokens that are read in the time in which the answers are written.
  private double tokens;

  /// @param factor by which a step may be longer
  /// @param most tokens
  /// @param parallel the most answers in a step
  Pace(double factor, int most, int parallel) {
    this.factor = factor;
    this.most = most;
    alone = new double[parallel + 1];
    tokens = FIRST;
  }

  /// The tokens for the next step; 0 as long as it is not known how long one without them takes.
  int tokens(int answers, int prompts) {
    if (answers == 0) {
      return most;
    }
    return seconds(answers) == 0 ? 0 : (int) Math.clamp(share(answers, prompts) * tokens, 1, most);
  }

  /// The time for prompts, as a part of that for answers.
  private double share(int answers, int prompts) {
    return Math.max(factor - 1, (double) prompts / answers);
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
    double before = seconds(answers);
    if (read == 0) {
      // Slow ones, as when kernels are still being compiled, are soon forgotten.
      double weight = alone[answers] == 0 ? 1 : took < before ? 0.3 : 0.15;
      alone[answers] += weight * (took - alone[answers]);
      return;
    }
    double right = read * before / Math.max(took - before, 1e-3 * before);
    if (right < tokens) {
      tokens = Math.max(1, Math.max(right, LESS * tokens));
    } else if (limited) {
      tokens = Math.min(most, Math.min(right, MORE * tokens));
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
