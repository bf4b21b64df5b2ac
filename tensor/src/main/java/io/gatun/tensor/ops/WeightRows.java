package io.gatun.tensor.ops;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.Dequantize;
import io.gatun.tensor.kernel.TiledLayout;
import io.gatun.tensor.kernel.Unpack;
import java.lang.foreign.MemorySegment;

/// Rows of a weight (N, K) of any type as F32.
final class WeightRows {
  private WeightRows() {}

  /// Writes `count` rows from `row` on to `dst`, from byte `at` on.
  static void toFloat(
      Backend backend, Tensor w, long row, int count, MemorySegment dst, long at) {
    long k = w.dim(1);
    var type = w.dtype();
    if (type instanceof DType.Tiled tiled) {
      TiledLayout.toFloat(tiled, w.segment(), k, row, row + count, dst, at);
      return;
    }
    long from = row * k / type.blockSize() * type.blockBytes();
    switch (backend) {
      case SCALAR -> Dequantize.toFloat(type, w.segment(), from, dst, at, count * k);
      case VECTOR, NATIVE -> Unpack.toFloat(type, w.segment(), from, dst, at, count * k);
    }
  }
}
