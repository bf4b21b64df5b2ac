package io.gatun.models.dit;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;

/// The feed-forward part of a block.
interface Mlp {
  /// x (T, D), result (T, D).
  Tensor forward(Functional f, Tensor x);
}
