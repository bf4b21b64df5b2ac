package io.gatun.models.decoder;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;

/// The feed-forward layer of two products (Vaswani et al. 2017).
public record Mlp(Linear up, Linear down, Activation activation) implements FeedForward {
  /// activation(x Wup) Wdown
  @Override
  public Tensor forward(Ops ops, Activations x) {
    var hidden = Linear.forward(ops, x, up)[0];
    return down.forward(ops, new Functional(ops, DType.Plain.F32).activate(hidden, activation));
  }
}
