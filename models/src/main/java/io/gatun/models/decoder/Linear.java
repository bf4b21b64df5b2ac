package io.gatun.models.decoder;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Functional;
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

  /// Of x (T, K): (T, N).
  public Tensor forward(Ops ops, Tensor x) {
    return ops.linear(x, weight, bias);
  }

  /// The results of several layers that read the same x, in one go.
  public static Tensor[] forward(Ops ops, Activations x, Linear... layers) {
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

  /// The columns of y (T, N) as tensors of their own: each of `groups` equal runs of columns holds
  /// so many of each part.
  public static Tensor[] parts(Ops ops, Tensor y, int groups, int... sizes) {
    var f = new Functional(ops, DType.Plain.F32);
    var runs = y.reshape(y.dim(0), groups, y.dim(1) / groups);
    var parts = new Tensor[sizes.length];
    int from = 0;
    for (int i = 0; i < sizes.length; i++) {
      int to = from + sizes[i];
      parts[i] = f.cast(runs.slice(2, from, to)).reshape(y.dim(0), (long) groups * sizes[i]);
      from = to;
    }
    return parts;
  }
}
