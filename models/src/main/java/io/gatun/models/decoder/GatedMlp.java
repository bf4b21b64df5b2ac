package io.gatun.models.decoder;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;

/// The gated feed-forward layer (Shazeer 2020).
///
/// @param activation SILU for SwiGLU, GELU_TANH for Gemma's GeGLU
public record GatedMlp(Linear gate, Linear up, Linear down, Activation activation)
    implements FeedForward {
  /// (activation(x Wgate) * (x Wup)) Wdown
  @Override
  public Tensor forward(Ops ops, Activations x) {
    return down.forward(ops, hidden(ops, x));
  }

  /// activation(x Wgate) * (x Wup), in one product where it is SiLU without biases.
  private Tensor hidden(Ops ops, Activations x) {
    boolean silu = activation == Activation.SILU;
    if (silu && gate.bias() == null && up.bias() == null) {
      return ops.gatedLinear(x, gate.weight(), up.weight());
    }
    var both = Linear.forward(ops, x, gate, up);
    if (silu) {
      ops.siluMulInPlace(both[0], both[1]);
      return both[0];
    }
    var gates = new Functional(ops, DType.Plain.F32).activate(both[0], activation);
    ops.mulInPlace(gates, both[1]);
    return gates;
  }

  /// The same with multiples of the gate's argument and of the result (Falcon-H1).
  public FeedForward scaled(Norm gateScale, Norm downScale) {
    var plain = this;
    return (ops, x) -> {
      if (gateScale instanceof Norm.None) {
        return downScale.of(ops, plain.forward(ops, x));
      }
      var both = Linear.forward(ops, x, gate, up);
      var gates = gateScale.of(ops, both[0]);
      ops.siluMulInPlace(gates, both[1]);
      return downScale.of(ops, down.forward(ops, gates));
    };
  }
}
