package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.ValueLayout;

/// The gated feed-forward layer of gpt-oss, whose gate and input cannot grow without bounds.
///
/// @param gate its rows alternate with those of `up` where that is null
/// @param limit of gates, and of inputs to either side
/// @param alpha how steep the gate's sigmoid is
public record ClampedGatedMlp(Linear gate, Linear up, Linear down, float limit, float alpha)
    implements FeedForward {
  /// g = min(x Wgate, limit); u = clamp(x Wup, -limit, limit)
  ///
  /// (g * sigmoid(alpha g) * (u + 1)) Wdown, where `g sigmoid(alpha g) = silu(alpha g) / alpha`
  @Override
  public Tensor forward(Ops ops, Activations x) {
    boolean alternate = up == null;
    var both = alternate ? Linear.forward(ops, x, gate) : Linear.forward(ops, x, gate, up);
    long n = alternate ? both[0].dim(1) / 2 : both[0].dim(1);
    var gates = ops.empty(x.rows(), n); // (T, F)
    var inputs = ops.empty(x.rows(), n);
    int step = alternate ? 2 : 1;
    var from = both[0].segment();
    var other = both[both.length - 1].segment();
    for (long i = 0; i < gates.size(); i++) {
      float g = from.getAtIndex(ValueLayout.JAVA_FLOAT, step * i);
      float u = other.getAtIndex(ValueLayout.JAVA_FLOAT, step * i + step - 1);
      gates.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, Math.min(g, limit) * alpha);
      float clamped = Math.max(-limit, Math.min(u, limit));
      inputs.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (clamped + 1) / alpha);
    }
    ops.siluMulInPlace(gates, inputs);
    return down.forward(ops, gates);
  }
}
