package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Ops;

/// Experts, and one beside them that every token uses.
///
/// @param gate (1, D) how much of it, before a sigmoid; null for all
public record SharedExpert(FeedForward experts, FeedForward shared, Linear gate)
    implements FeedForward {
  /// experts(x) + sigmoid(x Wgate) * shared(x)
  @Override
  public Tensor forward(Ops ops, Activations x) {
    var y = experts.forward(ops, x);
    try (var _ = ops.scope()) {
      var z = shared.forward(ops, x);
      if (gate == null) {
        ops.addInPlace(y, z);
        return y;
      }
      float[] scores = gate.forward(ops, x.tensor()).toFloats();
      for (int t = 0; t < scores.length; t++) {
        float share = (float) (1 / (1 + Math.exp(-scores[t])));
        ops.addScaledRow(y, t, z.slice(0, t, t + 1), share);
      }
      return y;
    }
  }
}
