package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Ops;

/// The second half of a layer: dense or a mixture of experts.
public interface FeedForward {
  /// x (T, D) to (T, D).
  Tensor forward(Ops ops, Activations x);
}
