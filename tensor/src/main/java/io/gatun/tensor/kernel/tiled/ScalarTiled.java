package io.gatun.tensor.kernel.tiled;

import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;

import io.gatun.tensor.DType.Tiled;
import java.lang.foreign.MemorySegment;

/// The products of tiled weights and quantized activations in plain loops: what [TiledProduct] must
/// agree with.
public final class ScalarTiled {
  private ScalarTiled() {}

  /// `y[m][n] = sum over k of w[n][k] * q[m][k]`, for the rows n from `from` to `to`.
  ///
  /// @param w (N, K) stored as `type`
  /// @param q `count` rows of [QuantizedRows], for [TiledProduct#activationBits]
  /// @param y `count` rows of F32, `yStride` bytes apart
  public static void multiply(
      Tiled type,
      MemorySegment w,
      MemorySegment q,
      int count,
      int columns,
      int from,
      int to,
      MemorySegment y,
      long yStride) {
    for (int m = 0; m < count; m++) {
      for (int n = from; n < to; n++) {
        double sum = 0;
        for (int k = 0; k < columns; k++) {
          double a = QuantizedRows.get(q, m, count, k, TiledProduct.activationBits(type));
          sum += a * TiledLayout.get(type, w, columns, n, k);
        }
        y.set(FLOAT, m * yStride + n * 4L, (float) sum);
      }
    }
  }
}
