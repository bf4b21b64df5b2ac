package io.gatun.models.decoder;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;

/// The gated layer of most architectures.
///
/// @param activation SILU for SwiGLU, GELU_TANH for Gemma's GeGLU
public record GatedMlp(Linear gate, Linear up, Linear down, Activation activation)
    implements GatedLayer {
  @Override
  public boolean isSilu() {
    return activation == Activation.SILU && gate.bias() == null && up.bias() == null;
  }

  /// activation(g) u
  @Override
  public Tensor join(Ops ops, Tensor g, Tensor u) {
    if (activation == Activation.SILU) {
      ops.siluMulInPlace(g, u);
      return g;
    }
    var activated = new Functional(ops, DType.Plain.F32).activate(g, activation);
    ops.mulInPlace(activated, u);
    return activated;
  }

  /// The same with multiples of the gate's argument and of the result (Falcon-H1).
  public FeedForward scaled(Norm gateScale, Norm downScale) {
    var plain = this;
    return (ops, x) -> {
      if (gateScale instanceof Norm.None) {
        return downScale.of(ops, plain.forward(ops, x));
      }
      var both = Linear.forward(ops, x, gate, up);
      var joined = join(ops, gateScale.of(ops, both[0]), both[1]);
      return downScale.of(ops, down.forward(ops, joined));
    };
  }
}
