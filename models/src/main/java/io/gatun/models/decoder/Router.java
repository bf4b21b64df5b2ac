package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;

/// Which experts a token uses, and how much: the greatest of its scores.
///
/// @param gate the scores' layer (E, D)
/// @param perToken experts that a token uses
/// @param scoring what makes a score a weight
/// @param selectionBias (E) added to the weights for choosing alone, or null
/// @param groups null where the experts are not in groups
/// @param renormalize whether the weights of the chosen ones sum to one
/// @param scale what the weights are multiplied by at last
/// @param expertScales (E) what each one's weight is multiplied by besides; null for nothing
public record Router(
    Linear gate,
    int perToken,
    Scoring scoring,
    float[] selectionBias,
    Groups groups,
    boolean renormalize,
    float scale,
    float[] expertScales) {
  /// What makes a score a weight.
  public enum Scoring {
    SOFTMAX,
    SIGMOID
  }

  /// Experts in groups of one size, of which a token uses those of the few best (DeepSeek-V2, arXiv
  /// 2405.04434).
  ///
  /// @param count groups
  /// @param perToken groups that a token uses
  /// @param best how many of its experts a group is judged by, the sum of whose ranks counts
  public record Groups(int count, int perToken, int best) {}

  /// The softmax of all experts' scores.
  public static Router softmax(Linear gate, int perToken, boolean renormalize) {
    return new Router(gate, perToken, Scoring.SOFTMAX, null, null, renormalize, 1, null);
  }

  /// The same, with each expert's weight multiplied by a number of its own.
  public Router scaled(float[] scales) {
    return new Router(gate, perToken, scoring, selectionBias, groups, renormalize, scale, scales);
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
    var ranks = new double[n];
    for (int i = 0; i < n; i++) {
      ranks[i] = selectionBias == null ? scores[at + i] : p[i] + selectionBias[i];
    }
    if (groups != null) {
      ruleOut(ranks, p, total);
    }
    double sum = 0;
    for (int chosen = 0; chosen < perToken; chosen++) {
      int best = greatest(ranks);
      ranks[best] = Double.NEGATIVE_INFINITY;
      // Kept above zero, which marks an expert as not chosen.
      weights[best] = Math.max(Float.MIN_NORMAL, (float) p[best]);
      sum += weights[best];
    }
    double divisor = renormalize ? sum : scoring == Scoring.SOFTMAX ? total : 1;
    for (int i = 0; i < n; i++) {
      double own = expertScales == null ? scale : scale * expertScales[i];
      weights[i] = (float) (weights[i] / divisor * own);
    }
  }

  /// Leaves only the experts of the best groups in the running.
  private void ruleOut(double[] ranks, double[] p, double total) {
    int size = ranks.length / groups.count;
    var judged = new double[groups.count];
    for (int g = 0; g < groups.count; g++) {
      var of = new double[size];
      for (int i = 0; i < size; i++) {
        int expert = g * size + i;
        of[i] = selectionBias == null ? p[expert] / total : ranks[expert];
      }
      for (int k = 0; k < groups.best; k++) {
        int best = greatest(of);
        judged[g] += of[best];
        of[best] = Double.NEGATIVE_INFINITY;
      }
    }
    var kept = new boolean[groups.count];
    for (int k = 0; k < groups.perToken; k++) {
      int best = greatest(judged);
      kept[best] = true;
      judged[best] = Double.NEGATIVE_INFINITY;
    }
    for (int i = 0; i < ranks.length; i++) {
      ranks[i] = kept[i / size] ? ranks[i] : Double.NEGATIVE_INFINITY;
    }
  }

  private static int greatest(double[] values) {
    int best = 0;
    for (int i = 1; i < values.length; i++) {
      best = values[i] > values[best] ? i : best;
    }
    return best;
  }

  Tensor scores(Ops ops, Tensor x) {
    return gate.forward(ops, x);
  }
}
