package io.gatun.tensor.kernel.dense;

import static io.gatun.tensor.kernel.dense.FirstRows.floats;
import static io.gatun.tensor.kernel.dense.FirstRows.store;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.scalar.PlainTypes;
import java.lang.foreign.MemorySegment;

/// Dot products of [io.gatun.tensor.kernel.ggml.RowDots] and conversions of
/// [io.gatun.tensor.kernel.ggml.Unpack], with the same arguments.
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

  /// Whether so many numbers of the type become F32 soonest one by one.
  public static boolean converts(DType type, long n) {
    return n <= FirstRows.MOST && (type == DType.Plain.F16 || type == DType.Plain.BF16);
  }
}
