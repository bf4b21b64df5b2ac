package io.gatun.models.quantize;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;

/// A matrix to be quantized.
///
/// @param name its name in the result
/// @param matrix (N, K) of any type, where the checkpoint has it; rows and columns may be swapped
/// @param type what it becomes
public record Target(String name, Tensor matrix, DType.Tiled type) {
  /// Whether it holds a weight that a model multiplies with.
  boolean holds(Tensor weight) {
    long at = weight.segment().address() - matrix.segment().address();
    return weight.dim(1) == matrix.dim(1)
        && weight.dtype().equals(matrix.dtype())
        && at >= 0
        && at < Math.max(1, matrix.segment().byteSize());
  }

  long address() {
    return matrix.segment().address();
  }
}
