package io.gatun.models.quantized;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;

/// A way to store the matrix of a linear layer in several tensors.
interface QuantizedFormat {
  /// What the name of the tensor by which a layer is found has behind the layer's.
  String suffix();

  /// Whether the layer is one of these; others may have a tensor of that name too.
  default boolean matches(StoredLayer layer) {
    return true;
  }

  /// Whether the matrix is made, as a rule, and is not where the file has it.
  ///
  /// @param type of the tensor by which the layer is found
  default boolean isMade(DType type) {
    return false;
  }

  /// The matrix (N, K).
  ///
  /// @throws io.gatun.loaders.CheckpointException if the parts do not fit, or Gatun does not read
  ///   such a variant
  Tensor matrix(StoredLayer layer);
}
