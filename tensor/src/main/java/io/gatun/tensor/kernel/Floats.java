package io.gatun.tensor.kernel;

import io.gatun.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Single floats in native memory, at byte offset `at` plus `i` elements.
public final class Floats {
  private Floats() {}

  public static float get(MemorySegment s, long at, long i) {
    return s.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at + 4 * i);
  }

  public static void set(MemorySegment s, long at, long i, float value) {
    s.set(ValueLayout.JAVA_FLOAT_UNALIGNED, at + 4 * i, value);
  }

  /// Stores a float as F32, F16 or BF16, rounded to nearest.
  ///
  /// @throws IllegalArgumentException for other types
  public static void store(DType.Plain dtype, MemorySegment s, long at, long i, float value) {
    if (dtype == DType.Plain.F32) {
      set(s, at, i, value);
    } else if (dtype == DType.Plain.F16) {
      s.set(ValueLayout.JAVA_SHORT_UNALIGNED, at + 2 * i, Float.floatToFloat16(value));
    } else if (dtype == DType.Plain.BF16) {
      s.set(ValueLayout.JAVA_SHORT_UNALIGNED, at + 2 * i, Elements.floatToBf16(value));
    } else {
      throw new IllegalArgumentException("cannot store floats as " + dtype.name());
    }
  }
}
