package io.gatun.models.llama;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Ops;

/// The gated feed-forward layer (SwiGLU, Shazeer 2020).
record Mlp(Tensor gateProj, Tensor upProj, Tensor downProj) implements FeedForward {
  Mlp(LlamaWeights weights, int layer) {
    this(
        weights.matrix("model.layers.%d.mlp.gate_proj.weight", weights.f(), weights.d(), layer),
        weights.matrix("model.layers.%d.mlp.up_proj.weight", weights.f(), weights.d(), layer),
        weights.matrix("model.layers.%d.mlp.down_proj.weight", weights.d(), weights.f(), layer));
  }

  /// (silu(x Wgate) * (x Wup)) Wdown
  @Override
  public Tensor forward(Ops ops, Activations x) {
    return ops.linear(ops.gatedLinear(x, gateProj, upProj), downProj);
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
