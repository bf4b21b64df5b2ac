package io.gatun.models.dit;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.function.BiConsumer;

/// How the image's tokens become what the network predicts.
///
/// @param normOut (2 D, D)
/// @param projOut (N, D)
record LastLayer(LinearWeight normOut, LinearWeight projOut) {
  /// shift, scale = normOut(silu(temb)); projOut(norm(x) * (1 + scale) + shift)
  ///
  /// @param x (T, D)
  /// @param silu of the time's embedding (1, D)
  /// @param probe is shown what the norm gives
  /// @return (T, N), F32
  Tensor forward(Functional f, Tensor x, Tensor silu, BiConsumer<String, Tensor> probe) {
    var modulation = Modulation.ofScaleShift(f, f.toF32(f.linear(silu, normOut)).toFloats());
    var normed = modulation.norm(f, x);
    probe.accept("norm_out", normed);
    return f.toF32(f.linear(normed, projOut));
  }
}
