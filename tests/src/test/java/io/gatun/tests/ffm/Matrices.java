package io.gatun.tests.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.ffm.ElementType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;

/// Small matrices in native memory, element by element.
final class Matrices {
  private Matrices() {}

  static float get(MemorySegment segment, ElementType type, long index) {
    return switch (type) {
      case F32 -> segment.getAtIndex(ValueLayout.JAVA_FLOAT, index);
      case BF16 -> Float.intBitsToFloat(segment.getAtIndex(ValueLayout.JAVA_SHORT, index) << 16);
      case F16 -> Float.float16ToFloat(segment.getAtIndex(ValueLayout.JAVA_SHORT, index));
      case S32 -> segment.getAtIndex(ValueLayout.JAVA_INT, index);
      case S8 -> segment.get(ValueLayout.JAVA_BYTE, index);
      case U8 -> segment.get(ValueLayout.JAVA_BYTE, index) & 0xff;
    };
  }

  /// Sets an element; floats are cut to bf16, integers must fit.
  static void set(MemorySegment segment, ElementType type, long index, float value) {
    switch (type) {
      case F32 -> segment.setAtIndex(ValueLayout.JAVA_FLOAT, index, value);
      case BF16 ->
          segment.setAtIndex(
              ValueLayout.JAVA_SHORT, index, (short) (Float.floatToRawIntBits(value) >>> 16));
      case F16 -> segment.setAtIndex(ValueLayout.JAVA_SHORT, index, Float.floatToFloat16(value));
      case S32 -> segment.setAtIndex(ValueLayout.JAVA_INT, index, (int) value);
      case S8, U8 -> segment.set(ValueLayout.JAVA_BYTE, index, (byte) (int) value);
    }
  }

  /// Seeded values: floats in [-1, 1), s8 in [-127, 127], u8 in [0, 255].
  static MemorySegment random(Arena arena, ElementType type, long count, long seed) {
    var random = new Random(seed);
    MemorySegment segment = arena.allocate(count * type.bytes(), 64);
    for (long i = 0; i < count; i++) {
      set(
          segment,
          type,
          i,
          switch (type) {
            case F32, BF16, F16 -> random.nextFloat() * 2 - 1;
            case S8 -> random.nextInt(255) - 127;
            case U8 -> random.nextInt(256);
            case S32 -> random.nextInt(1000);
          });
    }
    return segment;
  }

  /// The sum over i of op(A)[row, i] * op(B)[i, col].
  static double dot(
      MemorySegment a,
      ElementType aType,
      long aStart,
      long aStep,
      MemorySegment b,
      ElementType bType,
      long bStart,
      long bStep,
      int k) {
    double sum = 0;
    for (int i = 0; i < k; i++) {
      sum += (double) get(a, aType, aStart + i * aStep) * get(b, bType, bStart + i * bStep);
    }
    return sum;
  }

  static void assertClose(double expected, double actual, double tolerance, String what) {
    if (!(Math.abs(expected - actual) <= tolerance)) {
      assertEquals(expected, actual, tolerance, what);
    }
  }
}
