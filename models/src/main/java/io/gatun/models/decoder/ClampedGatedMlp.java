package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.ValueLayout;

/// The gated feed-forward layer of gpt-oss, whose gate and input cannot grow without bounds.
///
/// @param gate its rows alternate with those of `up` where that is null
/// @param limit of gates, and of inputs to either side
/// @param alpha how steep the gate's sigmoid is
public record ClampedGatedMlp(Linear gate, Linear up, Linear down, float limit, float alpha)
    implements GatedLayer {
  @Override
  public boolean isSilu() {
    return false;
  }

  /// min(g, limit) sigmoid(alpha min(g, limit)) (clamp(u, -limit, limit) + 1), where `g
  /// sigmoid(alpha g) = silu(alpha g) / alpha`
  @Override
  public Tensor join(Ops ops, Tensor g, Tensor u) {
    boolean alternate = u == null;
    var gates = ops.empty(g.dim(0), alternate ? g.dim(1) / 2 : g.dim(1)); // (T, F)
    var inputs = ops.empty(gates.shape().dims());
    int step = alternate ? 2 : 1;
    var from = g.segment();
    var other = alternate ? from : u.segment();
    for (long i = 0; i < gates.size(); i++) {
      float gate = from.getAtIndex(ValueLayout.JAVA_FLOAT, step * i);
      float input = other.getAtIndex(ValueLayout.JAVA_FLOAT, step * i + step - 1);
      gates.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, Math.min(gate, limit) * alpha);
      float clamped = Math.max(-limit, Math.min(input, limit));
      inputs.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (clamped + 1) / alpha);
    }
    ops.siluMulInPlace(gates, inputs);
    return gates;
  }
}
