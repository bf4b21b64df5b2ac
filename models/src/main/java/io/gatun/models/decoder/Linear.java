package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Ops;

/// A linear layer: `x weight^T + bias`.
///
/// @param weight (N, K) of any type
/// @param bias (N) F32, or null for none
public record Linear(Tensor weight, Tensor bias) {
  /// N.
  int rows() {
    return Math.toIntExact(weight.dim(0));
  }

  Tensor forward(Ops ops, Tensor x) {
    return ops.linear(x, weight, bias);
  }

  /// The results of several layers that read the same x, in one go.
  static Tensor[] forward(Ops ops, Activations x, Linear... layers) {
    var weights = new Tensor[layers.length];
    for (int i = 0; i < layers.length; i++) {
      weights[i] = layers[i].weight;
    }
    var results = ops.linears(x, weights);
    for (int i = 0; i < layers.length; i++) {
      if (layers[i].bias != null) {
        ops.addBias(results[i], layers[i].bias);
      }
    }
    return results;
  }
}
