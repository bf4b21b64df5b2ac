package io.gatun.tensor.ops;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Dequantize;
import io.gatun.tensor.kernel.ggml.Mxfp4;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.tiled.TiledLayout;
import io.gatun.tensor.kernel.tiled.TiledRows;
import java.lang.foreign.MemorySegment;

/// Rows of a weight (N, K) of any type as F32 or BF16.
final class WeightRows {
  private WeightRows() {}

  /// Writes `count` rows from `row` on to `dst`, from byte `at` on.
  static void toFloat(Backend backend, Tensor w, long row, int count, MemorySegment dst, long at) {
    long k = w.dim(1);
    var type = w.dtype();
    if (type instanceof DType.Tiled tiled) {
      if (backend == Backend.SCALAR) {
        TiledLayout.toFloat(tiled, w.segment(), k, row, row + count, dst, at);
      } else {
        TiledRows.toFloat(tiled, w.segment(), k, row, row + count, dst, at);
      }
      return;
    }
    if (w.scales() != null) {
      var scales = w.scales().segment();
      long group = row * k / type.blockSize();
      long groups = count * k / type.blockSize();
      switch (backend) {
        case SCALAR -> Mxfp4.scalarPairsToFloat(w.segment(), scales, group, groups, dst, at);
        case VECTOR, NATIVE -> Mxfp4.pairsToFloat(w.segment(), scales, group, groups, dst, at);
      }
      return;
    }
    long from = row * k / type.blockSize() * type.blockBytes();
    switch (backend) {
      case SCALAR -> Dequantize.toFloat(type, w.segment(), from, dst, at, count * k);
      case VECTOR, NATIVE -> Unpack.toFloat(type, w.segment(), from, dst, at, count * k);
    }
  }

  /// Writes `count` rows from `row` on to the start of `dst` as BF16.
  ///
  /// @param floats room for the rows as F32, from byte `at` on
  static void toBf16(
      Tensor w, long row, int count, MemorySegment dst, MemorySegment floats, long at) {
    long k = w.dim(1);
    var type = w.dtype();
    if (type instanceof DType.Tiled || w.scales() != null) {
      toFloat(Backend.NATIVE, w, row, count, floats, at);
      Unpack.toBf16(DType.Plain.F32, floats, at, dst, 0, count * k);
    } else {
      long from = row * k / type.blockSize() * type.blockBytes();
      Unpack.toBf16(type, w.segment(), from, dst, 0, count * k);
    }
  }
}
