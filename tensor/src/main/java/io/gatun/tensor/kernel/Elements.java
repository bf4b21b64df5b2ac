package io.gatun.tensor.kernel;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Elements as floats on the heap: the slow way, for printing and for checking the fast ways.
public final class Elements {
  static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
  static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
  static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
  static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
  static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED;

  private Elements() {}

  /// The element `at`, counted from the segment's start.
  ///
  /// @throws UnsupportedOperationException as [Dequantize#toFloat] does
  public static float get(MemorySegment s, DType dtype, Shape shape, long at) {
    if (dtype instanceof DType.Tiled tiled) {
      long columns = shape.dim(1);
      return TiledLayout.get(tiled, s, columns, at / columns, at % columns);
    }
    int block = dtype.blockSize();
    var values = new float[block];
    Dequantize.toFloat(
        dtype, s, at / block * dtype.blockBytes(), MemorySegment.ofArray(values), 0, block);
    return values[(int) (at % block)];
  }

  /// All elements of a contiguous tensor, in row-major order.
  ///
  /// @throws UnsupportedOperationException as [Dequantize#toFloat] does
  public static float[] toFloats(MemorySegment s, DType dtype, Shape shape) {
    var values = new float[Math.toIntExact(shape.size())];
    var dst = MemorySegment.ofArray(values);
    if (dtype instanceof DType.Tiled tiled) {
      TiledLayout.toFloat(tiled, s, shape.dim(1), 0, shape.dim(0), dst, 0);
    } else {
      Dequantize.toFloat(dtype, s, 0, dst, 0, values.length);
    }
    return values;
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
