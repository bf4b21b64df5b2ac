package io.gatun.models.engine;

/// How many prompt tokens are read in a step in which answers are written, so that four of five
/// such steps take no more than so many times as long as one without prompts. It is found out by
/// measuring.
///
/// Where more prompts are read than answers are written, the step may be longer: each of them has
/// the same right to be computed.
final class Pace {
  /// Tokens, as long as nothing has been measured.
  private static final int FIRST = 8;

  /// No fewer are read: the first ones cost nearly as much as these together, as the weights are
  /// then read by kernels for more rows. With one by one, each would seem to cost so much for good.
  private static final int FEWEST = 4;

  /// Few tokens take longer each than many, which is what is known before the first step that reads
  /// beside answers.
  private static final double SLOWER = 1.3;

  /// By how much a single step can change it. A step that something else on the machine holds up
  /// does no harm, and as this goes up four times as fast as it goes down, it settles where one
  /// step in five takes longer than it says.
  private static final double UP = 1.08;

  private static final double DOWN = 0.98;

  /// The same before it has gone up: what was measured first may have been slow, as when kernels
  /// are still being compiled.
  private static final double FIRST_DOWN = 0.5;

  private final double factor;
  private final int most;
  private final double[] alone;

  /// Seconds that a step takes longer for each token that is read in it; 0 as long as that is
  /// unknown.
  private double cost;

  /// The same of the fastest step without answers.
  private double unhindered;

  private boolean settled;

  /// @param factor by which a step may be longer
  /// @param most tokens
  /// @param parallel the most answers in a step
  Pace(double factor, int most, int parallel) {
    this.factor = factor;
    this.most = most;
    alone = new double[parallel + 1];
  }

  /// The tokens for the next step; 0 as long as it is not known how long one without them takes.
  int tokens(int answers, int prompts) {
    if (answers == 0) {
      return most;
    }
    double before = seconds(answers);
    if (before == 0) {
      return 0;
    }
    double each = cost();
    return each == 0
        ? Math.min(FIRST, most)
        : (int) Math.clamp(share(answers, prompts) * before / each, Math.min(FEWEST, most), most);
  }

  private double cost() {
    return cost > 0 ? cost : SLOWER * unhindered;
  }

  /// The time for prompts, as a part of that for answers.
  private double share(int answers, int prompts) {
    return Math.max(factor - 1, (double) prompts / answers);
  }

  /// Takes in how long a step took.
  ///
  /// @param answers that were written in it
  /// @param prompts that were being read
  /// @param read their tokens
  void measured(int answers, int prompts, int read, double took) {
    if (answers == 0) {
      double each = took / read;
      unhindered = unhindered == 0 ? each : Math.min(unhindered, each);
      return;
    }
    double before = seconds(answers);
    if (read == 0) {
      // Slow ones, as when kernels are still being compiled, are soon forgotten.
      double weight = alone[answers] == 0 ? 1 : took < before ? 0.3 : 0.15;
      alone[answers] += weight * (took - alone[answers]);
      return;
    }
    if (took < alone[answers]) {
      alone[answers] = took; // it would not have been slower without them
    }
    double each = Math.max(took - before, 1e-3 * before) / read;
    double known = cost() == 0 ? each : cost();
    if (each > known) {
      cost = Math.min(each, UP * known);
      settled = true;
    } else if (prompts <= answers) { // in a larger step each token costs less than in others
      cost = Math.max(each, (settled ? DOWN : FIRST_DOWN) * known);
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
