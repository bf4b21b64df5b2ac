package io.gatun.models.llama;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Ops;

/// The gated feed-forward layer (SwiGLU, Shazeer 2020).
///
/// @param gateBias (F), null for none, as are the others
record Mlp(
    Tensor gateProj,
    Tensor upProj,
    Tensor downProj,
    Tensor gateBias,
    Tensor upBias,
    Tensor downBias)
    implements FeedForward {
  Mlp(LlamaWeights weights, int layer) {
    this(
        weights.matrix("model.layers.%d.mlp.gate_proj.weight", weights.f(), weights.d(), layer),
        weights.matrix("model.layers.%d.mlp.up_proj.weight", weights.f(), weights.d(), layer),
        weights.matrix("model.layers.%d.mlp.down_proj.weight", weights.d(), weights.f(), layer),
        weights.optionalVector("model.layers.%d.mlp.gate_proj.bias", weights.f(), layer),
        weights.optionalVector("model.layers.%d.mlp.up_proj.bias", weights.f(), layer),
        weights.optionalVector("model.layers.%d.mlp.down_proj.bias", weights.d(), layer));
  }

  /// One that has no biases.
  Mlp(Tensor gateProj, Tensor upProj, Tensor downProj) {
    this(gateProj, upProj, downProj, null, null, null);
  }

  /// (silu(x Wgate) * (x Wup)) Wdown
  @Override
  public Tensor forward(Ops ops, Activations x) {
    return ops.linear(hidden(ops, x), downProj, downBias);
  }

  /// silu(x Wgate) * (x Wup), in one product where there are no biases.
  private Tensor hidden(Ops ops, Activations x) {
    if (gateBias == null && upBias == null) {
      return ops.gatedLinear(x, gateProj, upProj);
    }
    var both = ops.linears(x, gateProj, upProj);
    addBias(ops, both[0], gateBias);
    addBias(ops, both[1], upBias);
    ops.siluMulInPlace(both[0], both[1]);
    return both[0];
  }

  /// y + bias, if there is one.
  static void addBias(Ops ops, Tensor y, Tensor bias) {
    if (bias != null) {
      ops.addBias(y, bias);
    }
  }

  @Override
  public long bytesPerToken() {
    return gateProj.byteSize() + upProj.byteSize() + downProj.byteSize();
  }

  @Override
  public long weightsPerToken() {
    return gateProj.size() + upProj.size() + downProj.size();
  }
}
