package io.gatun.tensor.kernel.dense;

import static io.gatun.tensor.kernel.dense.FirstRows.floats;
import static io.gatun.tensor.kernel.dense.FirstRows.store;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.scalar.Floats;
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
      toFloat(type, row, values);
      sums[n] = FirstRows.dot(values, a, 2);
    }
    store(sums, y, yAt + 4 * from);
  }

  /// Whether there is a conversion of so many numbers of the type to F32.
  public static boolean converts(DType type, long n) {
    return n <= FirstRows.MOST && (type == DType.Plain.F16 || type == DType.Plain.BF16);
  }

  /// F16 or BF16 to F32.
  public static void toFloat(
      DType.Plain type, MemorySegment src, long from, MemorySegment dst, long to, int n) {
    var bits = new short[n];
    MemorySegment.copy(src, from, MemorySegment.ofArray(bits), 0, 2L * n);
    var values = new float[n];
    toFloat(type, bits, values);
    store(values, dst, to);
  }

  static void toFloat(DType.Plain type, short[] bits, float[] values) {
    if (type == DType.Plain.F16) {
      for (int j = 0; j < values.length; j++) {
        values[j] = Float.float16ToFloat(bits[j]);
      }
    } else {
      for (int j = 0; j < values.length; j++) {
        values[j] = Floats.bf16ToFloat(bits[j]);
      }
    }
  }
}
