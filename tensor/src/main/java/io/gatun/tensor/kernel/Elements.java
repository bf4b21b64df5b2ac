package io.gatun.tensor.kernel;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Single elements as floats: the slow way, for printing and for checking the fast ways.
public final class Elements {
  private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

  private Elements() {}

  /// The element `at`, counted from the segment's start.
  public static float get(MemorySegment s, DType dtype, Shape shape, long at) {
    return switch (dtype) {
      case DType.Plain p -> plain(s, p, at);
      case DType.Block b -> throw new UnsupportedOperationException(b.name());
      case DType.Tiled t -> throw new UnsupportedOperationException(t.name() + shape);
    };
  }

  private static float plain(MemorySegment s, DType.Plain dtype, long at) {
    return switch (dtype) {
      case F64 -> (float) s.get(ValueLayout.JAVA_DOUBLE_UNALIGNED, at * 8);
      case F32, C64 -> s.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at * dtype.blockBytes());
      case F16 -> Float.float16ToFloat(s.get(SHORT, at * 2));
      case BF16 -> bf16ToFloat(s.get(SHORT, at * 2));
      case I64 -> s.get(LONG, at * 8);
      case U64 -> unsignedToFloat(s.get(LONG, at * 8));
      case I32 -> s.get(INT, at * 4);
      case U32 -> s.get(INT, at * 4) & 0xFFFFFFFFL;
      case I16 -> s.get(SHORT, at * 2);
      case U16 -> s.get(SHORT, at * 2) & 0xFFFF;
      case I8 -> s.get(ValueLayout.JAVA_BYTE, at);
      case U8, BOOL -> s.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
      case F8_E4M3, F8_E5M2, F8_E8M0, F6_E2M3, F6_E3M2, F4 ->
          throw new UnsupportedOperationException(dtype.name());
    };
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

  private static float unsignedToFloat(long v) {
    return v >= 0 ? v : ((v >>> 1) | (v & 1)) * 2f;
  }
}
