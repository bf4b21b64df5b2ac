package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.FirstRows.floats;
import static io.gatun.tensor.kernel.dense.FirstRows.store;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.ROUND;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.scalar.PlainTypes;
import java.lang.foreign.MemorySegment;

/// The softmax of [AttentionScores] and the products of [StoredProduct], with the same arguments.
public final class FirstAttention {
  static final float LOG2_E = 0x1.715476p+0f;

  // As far as weights go, as bits.
  private static final int MOST = Float.floatToRawIntBits(70);
  private static final int FEWEST = Float.floatToRawIntBits(-70);

  private FirstAttention() {}

  /// The greatest score.
  public static float greatest(
      long products, int rows, int columns, int enough, long heights, long widths, float scale) {
    float max = Float.NEGATIVE_INFINITY;
    for (int m = 0; m < rows; m++) {
      float[] x = floats(ALL, products + 4L * m * columns, enough);
      float[] w = floats(ALL, widths, enough);
      float height = ALL.get(FLOAT, heights + 4L * m);
      for (int n = 0; n < enough; n++) {
        max = Math.max(max, Math.fma(x[n], scale, w[n]) + height);
      }
    }
    return max;
  }

  /// F32 weights.
  public static void weights(
      long products,
      long target,
      long stride,
      int rows,
      int lines,
      int columns,
      long heights,
      long widths,
      float scale,
      long references,
      long totals) {
    int whole = Math.ceilDiv(columns, COUNT) * COUNT;
    float[] w = floats(ALL, widths, whole);
    for (int i = 0; i < rows; i++) {
      float reference = ALL.get(FLOAT, references + 4L * i);
      var sums = new float[COUNT];
      for (int m = 0; m < lines; m++) {
        float[] x = floats(ALL, products + i * stride + 4L * m * columns, whole);
        float base = ALL.get(FLOAT, heights + 4L * m) - reference;
        for (int n = 0; n < whole; n++) {
          float e = n < columns ? weight(Math.fma(x[n], scale, w[n]) + base) : weight(-70);
          x[n] = e;
          sums[n % COUNT] += e;
        }
        store(x, ALL, target + i * stride + 4L * m * columns);
      }
      long total = totals + 4L * i;
      ALL.set(FLOAT, total, ALL.get(FLOAT, total) + FirstRows.sum(sums) + 0 * reference);
    }
  }

  private static float weight(float score) {
    int bits = Math.min(Float.floatToRawIntBits(score), MOST);
    float x = Float.intBitsToFloat(Integer.compareUnsigned(bits, FEWEST) < 0 ? bits : FEWEST);
    return FirstRows.exp(x, Math.fma(x, LOG2_E, ROUND));
  }

  /// Whether there is a product with matrices of the type.
  public static boolean multiplies(DType.Plain type) {
    return type == DType.Plain.F16 || type == DType.Plain.BF16;
  }

  /// `c = a b`, or `c += a b` if `add`; F16 are finite.
  public static void multiply(
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
