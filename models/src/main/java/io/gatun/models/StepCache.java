package io.gatun.models;

/// Says which predictions may be used again in the next step in place of asking the network: those
/// that will hardly change, by how much they changed lately for how much its input did (EasyCache,
/// Zhou et al. 2025, arXiv:2507.02860, section 3).
///
///     k = |v - v'| / |x - x'| of the latest two answers;  change += k |x - x'| / |v'|
///
/// While the change since the latest answer stays below the tolerance, that is used again.
final class StepCache {
  /// Answers before the first that may be used again: the change is not known before.
  private static final int FIRST = 2;

  private final double tolerance;
  private float[] input;
  private float[] answer;
  private float[] answered;
  private double rate;
  private double change;
  private int answers;

  /// @param tolerance the most change as a share of the prediction; 0 for none
  StepCache(double tolerance) {
    this.tolerance = tolerance;
  }

  /// The latest answer if it may be used again for this input, else null.
  ///
  /// @param last whether no step follows
  float[] reused(float[] x, boolean last) {
    if (tolerance == 0 || last || answers < FIRST) {
      return null;
    }
    change += rate * distance(x, input) / norm(answer);
    input = x;
    return change < tolerance ? answer : null;
  }

  /// Remembers what the network answered.
  void put(float[] x, float[] prediction) {
    if (tolerance == 0) {
      return;
    }
    if (answer != null) {
      double moved = distance(x, answered);
      rate = moved == 0 ? 0 : distance(prediction, answer) / moved;
    }
    input = x;
    answered = x;
    answer = prediction;
    change = 0;
    answers++;
  }

  private static double distance(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
    }
    return Math.sqrt(sum);
  }

  private static double norm(float[] a) {
    double sum = 0;
    for (float value : a) {
      sum += (double) value * value;
    }
    return Math.sqrt(sum);
  }
}
