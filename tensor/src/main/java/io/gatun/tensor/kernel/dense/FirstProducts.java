package io.gatun.tensor.kernel.dense;

import static io.gatun.tensor.kernel.dense.FirstRows.floats;
import static io.gatun.tensor.kernel.dense.FirstRows.store;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.scalar.PlainTypes;
import java.lang.foreign.MemorySegment;

/// The products of [io.gatun.tensor.kernel.ggml.RowDots] and [StoredProduct] with F16 and BF16,
/// with the same arguments.
public final class FirstProducts {
  private FirstProducts() {}

  /// `y[n] = sum over k of w[n][k] * x[k]` of weights in F16, which are finite, or BF16.
  public static void dots(
      DType.Plain type,
      MemorySegment w,
      long wAt,
      int columns,
      MemorySegment x,
      long xAt,
      long from,
      long to,
      MemorySegment y,
      long yAt) {
    float[] a = floats(x, xAt, columns);
    var row = new short[columns];
    var bits = MemorySegment.ofArray(row);
    var values = new float[columns];
    var sums = new float[(int) (to - from)];
    for (int n = 0; n < sums.length; n++) {
      MemorySegment.copy(w, wAt + 2 * (from + n) * columns, bits, 0, 2L * columns);
      PlainTypes.toFloat(type, row, 0, values);
      sums[n] = FirstRows.dot(values, a, 2);
    }
    store(sums, y, yAt + 4 * from);
  }

  /// `c = a b`, or `c += a b` if `add`; F16 are finite.
  static void multiply(
      DType.Plain type,
      MemorySegment a,
      long aAt,
      int lda,
      MemorySegment b,
      long bAt,
      int ldb,
      MemorySegment c,
      long cAt,
      int ldc,
      int m,
      int n,
      int k,
      boolean add) {
    var left = new float[m][];
    var sums = new float[m][];
    for (int i = 0; i < m; i++) {
      left[i] = floats(a, aAt + 4L * i * lda, k);
      sums[i] = add ? floats(c, cAt + 4L * i * ldc, n) : new float[n];
    }
    var bits = new short[(k - 1) * ldb + n];
    MemorySegment.copy(b, bAt, MemorySegment.ofArray(bits), 0, 2L * bits.length);
    var values = new float[n];
    for (int p = 0; p < k; p++) {
      PlainTypes.toFloat(type, bits, p * ldb, values);
      for (int i = 0; i < m; i++) {
        addScaled(values, left[i][p], sums[i]);
      }
    }
    for (int i = 0; i < m; i++) {
      store(sums[i], c, cAt + 4L * i * ldc);
    }
  }

  private static void addScaled(float[] x, float factor, float[] sums) {
    for (int j = 0; j < x.length; j++) {
      sums[j] = Math.fma(factor, x[j], sums[j]);
    }
  }
}
