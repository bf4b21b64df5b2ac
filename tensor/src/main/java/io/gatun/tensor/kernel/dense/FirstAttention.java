package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.FirstRows.floats;
import static io.gatun.tensor.kernel.dense.FirstRows.store;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.ROUND;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;

/// The softmax of [AttentionScores].
final class FirstAttention {
  // As far as weights go, as bits.
  private static final int MOST = Float.floatToRawIntBits(70);
  private static final int FEWEST = Float.floatToRawIntBits(-70);

  private FirstAttention() {}

  /// The greatest score.
  static float greatest(
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
  static void weights(
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
    return FirstRows.exp(x, Math.fma(x, AttentionWeights.LOG2_E, ROUND));
  }
}
