package io.gatun.models.nn;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Functional;

/// Group normalization (Wu and He 2018).
public record GroupNorm(int groups, Tensor weight, Tensor bias, float eps) {
  /// x (B, ..., C), result (B, ..., C).
  public Tensor forward(Functional f, Tensor x, Activation activation) {
    return f.groupNorm(x, groups, weight, bias, eps, activation);
  }
}
