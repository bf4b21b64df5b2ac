package io.gatun.tensor.kernel.scalar;

import io.gatun.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// How numbers lie in native memory, and single floats there, at byte offset `at` plus `i`
/// elements.
public final class Floats {
  public static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
  public static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
  public static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  public static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
  public static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  public static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED;

  private Floats() {}

  public static float get(MemorySegment s, long at, long i) {
    return s.get(FLOAT, at + 4 * i);
  }

  public static void set(MemorySegment s, long at, long i, float value) {
    s.set(FLOAT, at + 4 * i, value);
  }

  /// Stores a float as F32, F16 or BF16, rounded to nearest.
  ///
  /// @throws IllegalArgumentException for other types
  public static void store(DType.Plain dtype, MemorySegment s, long at, long i, float value) {
    if (dtype == DType.Plain.F32) {
      set(s, at, i, value);
    } else if (dtype == DType.Plain.F16) {
      s.set(SHORT, at + 2 * i, Float.floatToFloat16(value));
    } else if (dtype == DType.Plain.BF16) {
      s.set(SHORT, at + 2 * i, floatToBf16(value));
    } else {
      throw new IllegalArgumentException("cannot store floats as " + dtype.name());
    }
  }

  /// The F16 at byte `at`.
  public static float f16(MemorySegment s, long at) {
    return Float.float16ToFloat(s.get(SHORT, at));
  }

  /// A bfloat16 is the upper half of a float.
  public static float bf16ToFloat(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /// The nearest bfloat16, ties to even; NaN stays NaN.
  public static short floatToBf16(float f) {
    int bits = Float.floatToRawIntBits(f);
    if (Float.isNaN(f)) {
      return (short) (bits >>> 16 | 0x40);
    }
    return (short) ((bits + 0x7FFF + (bits >>> 16 & 1)) >>> 16);
  }
}
