package io.gatun.models.nn;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;

/// Layer normalization over channels (Ba et al. 2016).
public record LayerNorm(Tensor weight, Tensor bias, float eps) {
  /// x (..., C), result (..., C).
  public Tensor forward(Functional f, Tensor x) {
    return f.layerNorm(x, weight, bias, eps);
  }
}
