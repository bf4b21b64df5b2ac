package io.gatun.models.dit;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.List;

/// The linear layer that makes a block's modulations of the time.
///
/// @param d the width; 0 where the values are one scale, then one shift
record AdaLayerNorm(LinearWeight linear, int d) {
  /// Shift, scale and gate for each of so many parts.
  static AdaLayerNorm ofParts(Weights weights, int d, int parts) {
    return new AdaLayerNorm(weights.linear("linear", 3L * parts * d, d), d);
  }

  /// Scale and shift of one part, which is not gated.
  static AdaLayerNorm ofScaleShift(Weights weights, int d) {
    return new AdaLayerNorm(weights.linear("linear", 2L * d, d), 0);
  }

  /// @param silu of the time embedding (1, D)
  List<Modulation> of(Functional f, Tensor silu) {
    float[] values = f.toF32(f.linear(silu, linear)).toFloats();
    return d == 0 ? List.of(Modulation.ofScaleShift(f, values)) : Modulation.ofParts(f, values, d);
  }
}
