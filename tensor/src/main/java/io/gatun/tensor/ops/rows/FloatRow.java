package io.gatun.tensor.ops.rows;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.scalar.Floats;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Moves rows of activations to arrays of floats and back; loops over arrays are compiled into
/// vectors without a kernel of their own. For one thread.
final class FloatRow {
  private final boolean bf16;
  private final float[] values;
  private final short[] halves;

  /// @param size the most elements of a row
  FloatRow(DType.Plain dtype, int size) {
    bf16 = dtype == DType.Plain.BF16;
    values = new float[size];
    halves = new short[bf16 ? size : 0];
  }

  /// The elements from number `at` on, as many as a row has, until the next call.
  float[] read(MemorySegment x, long at) {
    read(x, at, values);
    return values;
  }

  /// Fills `to` with the elements from number `at` on.
  void read(MemorySegment x, long at, float[] to) {
    if (!bf16) {
      MemorySegment.copy(x, ValueLayout.JAVA_FLOAT, 4 * at, to, 0, to.length);
      return;
    }
    MemorySegment.copy(x, ValueLayout.JAVA_SHORT, 2 * at, halves, 0, to.length);
    for (int i = 0; i < to.length; i++) {
      to[i] = Floats.bf16ToFloat(halves[i]);
    }
  }

  /// Writes all of `from`, rounded to nearest, even.
  void write(float[] from, MemorySegment x, long at) {
    if (!bf16) {
      MemorySegment.copy(from, 0, x, ValueLayout.JAVA_FLOAT, 4 * at, from.length);
      return;
    }
    for (int i = 0; i < from.length; i++) {
      halves[i] = Floats.floatToBf16(from[i]);
    }
    MemorySegment.copy(halves, 0, x, ValueLayout.JAVA_SHORT, 2 * at, from.length);
  }
}
