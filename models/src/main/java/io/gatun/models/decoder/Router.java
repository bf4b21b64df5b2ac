package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;

/// Which experts a token uses, and how much: the greatest of its scores.
///
/// @param gate the scores' layer (E, D)
/// @param perToken experts that a token uses
/// @param scoring what makes a score a weight
/// @param selectionBias (E) added to the scores for choosing alone, or null
/// @param renormalize whether the weights of the chosen ones sum to one
/// @param scale what the weights are multiplied by at last
public record Router(
    Linear gate,
    int perToken,
    Scoring scoring,
    float[] selectionBias,
    boolean renormalize,
    float scale) {
  /// What makes a score a weight.
  public enum Scoring {
    SOFTMAX,
    SIGMOID
  }

  /// The softmax of all experts' scores.
  public static Router softmax(Linear gate, int perToken, boolean renormalize) {
    return new Router(gate, perToken, Scoring.SOFTMAX, null, renormalize, 1);
  }

  int experts() {
    return gate.rows();
  }

  /// Writes the weights of one token's experts; 0 for those not used.
  ///
  /// @param scores those of the token begin at `at`
  void weigh(float[] scores, int at, float[] weights) {
    int n = weights.length;
    var p = new double[n];
    double max = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < n; i++) {
      max = Math.max(max, scores[at + i]);
    }
    double total = 0;
    for (int i = 0; i < n; i++) {
      p[i] =
          scoring == Scoring.SIGMOID
              ? 1 / (1 + Math.exp(-scores[at + i]))
              : Math.exp(scores[at + i] - max);
      total += p[i];
    }
    double sum = 0;
    for (int chosen = 0; chosen < perToken; chosen++) {
      int best = -1;
      for (int i = 0; i < n; i++) {
        if (weights[i] == 0 && (best < 0 || rank(scores, at, p, i) > rank(scores, at, p, best))) {
          best = i;
        }
      }
      // Kept above zero, which marks an expert as not chosen.
      weights[best] = Math.max(Float.MIN_NORMAL, (float) p[best]);
      sum += weights[best];
    }
    double divisor = renormalize ? sum : scoring == Scoring.SOFTMAX ? total : 1;
    for (int i = 0; i < n; i++) {
      weights[i] = (float) (weights[i] / divisor * scale);
    }
  }

  private double rank(float[] scores, int at, double[] p, int i) {
    return selectionBias == null ? scores[at + i] : p[i] + selectionBias[i];
  }

  Tensor scores(Ops ops, Tensor x) {
    return gate.forward(ops, x);
  }
}
