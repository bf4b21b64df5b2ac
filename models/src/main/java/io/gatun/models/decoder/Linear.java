package io.gatun.models.decoder;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import java.util.Collections;
import java.util.List;

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
    return forward(ops, Collections.nCopies(layers.length, x), List.of(layers));
  }

  /// The results of several layers, each of an input of its own, in one go.
  static Tensor[] forward(Ops ops, List<Activations> x, List<Linear> layers) {
    var results = ops.linears(x, weights(layers));
    for (int i = 0; i < results.length; i++) {
      if (layers.get(i).bias != null) {
        ops.addBias(results[i], layers.get(i).bias);
      }
    }
    return results;
  }

  static List<Tensor> weights(List<Linear> layers) {
    return layers.stream().map(Linear::weight).toList();
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
