package io.gatun.models.llama;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.Ops;

/// The second half of a block: dense or a mixture of experts.
sealed interface FeedForward permits Mlp, SparseMoe {
  /// x (T, D) to (T, D).
  Tensor forward(Ops ops, Activations x);

  /// The bytes of weights that one token reads.
  long bytesPerToken();

  /// The weights that one token is multiplied with.
  long weightsPerToken();
}
