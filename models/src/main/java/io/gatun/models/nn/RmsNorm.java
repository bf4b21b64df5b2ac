package io.gatun.models.nn;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;

/// Root mean square normalization over channels (Zhang and Sennrich 2019): `x / sqrt(mean(x^2) +
/// eps) * weight`.
///
/// @param weight (C) F32
public record RmsNorm(Tensor weight, float eps) {
  /// x (..., C) of any plain type, without gaps; result (..., C), of the activations' type.
  public Tensor forward(Functional f, Tensor x) {
    return Scoped.call(f, () -> f.cast(inF32(f, x)));
  }

  /// As [#forward], with an F32 result.
  public Tensor inF32(Functional f, Tensor x) {
    return f.ops().rmsNorm(x.dtype() == DType.Plain.F32 ? x : f.toF32(x), weight, eps);
  }
}
