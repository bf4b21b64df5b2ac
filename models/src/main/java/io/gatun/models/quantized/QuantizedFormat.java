package io.gatun.models.quantized;

import io.gatun.tensor.Tensor;

/// A way to store the matrix of a linear layer in several tensors.
interface QuantizedFormat {
  /// What the name of the tensor by which a layer is found has behind the layer's.
  String suffix();

  /// Whether the layer is one of these; others may have a tensor of that name too.
  default boolean matches(StoredLayer layer) {
    return true;
  }

  /// The matrix (N, K).
  ///
  /// @throws io.gatun.loaders.CheckpointException if the parts do not fit, or Gatun does not read
  ///   such a variant
  Tensor matrix(StoredLayer layer);
}
