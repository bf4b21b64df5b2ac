package io.gatun.tensor.kernel.scalar;

import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.DOUBLE;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.INT;
import static io.gatun.tensor.kernel.scalar.Floats.LONG;
import static io.gatun.tensor.kernel.scalar.Floats.SHORT;

import io.gatun.tensor.DType;
import java.lang.foreign.MemorySegment;

/// The plain types to F32, one element at a time.
///
/// F8_E4M3 is the "fn" kind: no infinities, 0x7F and 0xFF are NaN (Micikevicius et al., FP8 Formats
/// for Deep Learning, 2022). F8_E5M2 is the upper byte of an F16. F8_E8M0, F6 and F4 are those of
/// the OCP Microscaling Formats specification 1.0; elements that share bytes stand lowest bits
/// first.
public final class PlainTypes {
  /// F16 or BF16 at a time, in arrays: these are fast before all is compiled.
  private static final int HALVES = 1 << 12;

  private PlainTypes() {}

  public static void toFloat(
      DType.Plain type, MemorySegment src, long from, MemorySegment dst, long to, long n) {
    if (type == DType.Plain.C64) {
      throw new UnsupportedOperationException(
          "C64 holds complex numbers, which have no value as one float; view it as pairs of F32");
    }
    if (type == DType.Plain.F32) {
      MemorySegment.copy(src, from, dst, to, 4 * n);
      return;
    }
    if (isHalf(type)) {
      halves(type, src, from, dst, to, n);
      return;
    }
    for (long i = 0; i < n; i++) {
      dst.set(FLOAT, to + i * 4, get(type, src, from, i));
    }
  }

  private static void halves(
      DType.Plain type, MemorySegment src, long from, MemorySegment dst, long to, long n) {
    var bits = new short[(int) Math.min(HALVES, n)];
    var values = new float[bits.length];
    for (long i = 0, count; i < n; i += count) {
      count = Math.min(bits.length, n - i);
      MemorySegment.copy(src, from + 2 * i, MemorySegment.ofArray(bits), 0, 2 * count);
      toFloat(type, bits, 0, values);
      MemorySegment.copy(MemorySegment.ofArray(values), 0, dst, to + 4 * i, 4 * count);
    }
  }

  /// Whether it is a float of 16 bits.
  public static boolean isHalf(DType type) {
    return type == DType.Plain.F16 || type == DType.Plain.BF16;
  }

  /// F16 or BF16 from `bits[from]` on.
  public static void toFloat(DType.Plain type, short[] bits, int from, float[] values) {
    if (type == DType.Plain.F16) {
      for (int j = 0; j < values.length; j++) {
        values[j] = Float.float16ToFloat(bits[from + j]);
      }
    } else {
      for (int j = 0; j < values.length; j++) {
        values[j] = Floats.bf16ToFloat(bits[from + j]);
      }
    }
  }

  /// The element `i` after byte `from`.
  public static float get(DType.Plain type, MemorySegment s, long from, long i) {
    return switch (type) {
      case F64 -> (float) s.get(DOUBLE, from + i * 8);
      case F32, C64 -> s.get(FLOAT, from + i * 4);
      case F16 -> Float.float16ToFloat(s.get(SHORT, from + i * 2));
      case BF16 -> Floats.bf16ToFloat(s.get(SHORT, from + i * 2));
      case F8_E4M3 -> f8e4m3(s.get(BYTE, from + i));
      case F8_E5M2 -> Float.float16ToFloat((short) (s.get(BYTE, from + i) << 8));
      case F8_E8M0 -> f8e8m0(s.get(BYTE, from + i) & 0xFF);
      case F6_E2M3 -> minifloat(sixBits(s, from, i), 2, 3);
      case F6_E3M2 -> minifloat(sixBits(s, from, i), 3, 2);
      case F4 -> minifloat(s.get(BYTE, from + i / 2) >> (i % 2 * 4) & 0xF, 2, 1);
      case I64 -> s.get(LONG, from + i * 8);
      case U64 -> unsignedToFloat(s.get(LONG, from + i * 8));
      case I32 -> s.get(INT, from + i * 4);
      case U32 -> s.get(INT, from + i * 4) & 0xFFFFFFFFL;
      case I16 -> s.get(SHORT, from + i * 2);
      case U16 -> s.get(SHORT, from + i * 2) & 0xFFFF;
      case I8 -> s.get(BYTE, from + i);
      case U8, BOOL -> s.get(BYTE, from + i) & 0xFF;
    };
  }

  private static float f8e4m3(byte bits) {
    return (bits & 0x7F) == 0x7F ? Float.NaN : minifloat(bits & 0xFF, 4, 3);
  }

  private static float f8e8m0(int bits) {
    return bits == 0xFF ? Float.NaN : Math.scalb(1f, bits - 127);
  }

  /// The value of sign, exponent and mantissa bits where no pattern stands for infinity or NaN.
  private static float minifloat(int bits, int exponentBits, int mantissaBits) {
    int bias = (1 << (exponentBits - 1)) - 1;
    int mantissa = bits & ((1 << mantissaBits) - 1);
    int exponent = bits >> mantissaBits & ((1 << exponentBits) - 1);
    int significand = exponent == 0 ? mantissa : mantissa | 1 << mantissaBits;
    float value = Math.scalb((float) significand, Math.max(exponent, 1) - bias - mantissaBits);
    return (bits >> (exponentBits + mantissaBits) & 1) == 0 ? value : -value;
  }

  /// Element `i` of a stream of 6-bit numbers, four in three bytes.
  private static int sixBits(MemorySegment s, long from, long i) {
    long at = from + i / 4 * 3;
    int word =
        (s.get(BYTE, at) & 0xFF)
            | (s.get(BYTE, at + 1) & 0xFF) << 8
            | (s.get(BYTE, at + 2) & 0xFF) << 16;
    return word >> (i % 4 * 6) & 0x3F;
  }

  private static float unsignedToFloat(long v) {
    return v >= 0 ? v : ((v >>> 1) | (v & 1)) * 2f;
  }
}
