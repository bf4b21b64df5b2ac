package io.gatun.models.quantize;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Packing;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.NavigableMap;

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

  /// The target that a weight is part of; null for none.
  ///
  /// @param byAddress all by where they begin
  static Target of(NavigableMap<Long, Target> byAddress, Tensor weight) {
    var entry = byAddress.floorEntry(weight.segment().address());
    return entry == null || !entry.getValue().holds(weight) ? null : entry.getValue();
  }

  /// Rounded to the nearest.
  ///
  /// @param out where it goes
  public Tensor nearest(Workers workers, Arena out) {
    try (var memory = Arena.ofShared()) {
      var dense = matrix.isContiguous() ? matrix : matrix.copy(memory);
      var tiles = Tensor.allocate(out, type, dense.shape().dims());
      var at = new long[1];
      Packing.convert(
          workers,
          dense,
          type,
          piece -> {
            MemorySegment.copy(piece, 0, tiles.segment(), at[0], piece.byteSize());
            at[0] += piece.byteSize();
          });
      return tiles;
    }
  }

  long address() {
    return matrix.segment().address();
  }
}
