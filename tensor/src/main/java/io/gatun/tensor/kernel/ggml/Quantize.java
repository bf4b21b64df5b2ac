package io.gatun.tensor.kernel.ggml;

import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.INT;
import static io.gatun.tensor.kernel.scalar.Floats.SHORT;

import io.gatun.tensor.DType;
import java.lang.foreign.MemorySegment;

/// F32 to GGUF's blocks, bit for bit as ggml's `quantize_row_*_ref` makes them. The layouts are
/// described in [Blocks32].
public final class Quantize {
  private Quantize() {}

  /// Quantizes `n` elements to whole blocks.
  ///
  /// @throws UnsupportedOperationException if there is no quantizer for the type
  /// @throws IllegalArgumentException if `n` is not a whole number of blocks
  public static void fromFloat(
      DType.Block type,
      MemorySegment src,
      long srcByteOffset,
      MemorySegment dst,
      long dstByteOffset,
      long n) {
    long blocks = Dequantize.wholeBlocks(type, n);
    if (!supports(type)) {
      throw new UnsupportedOperationException(
          "Gatun cannot quantize to %s; choose Q8_0, Q5_1, Q5_0, Q4_1 or Q4_0"
              .formatted(type.name()));
    }
    var x = new float[type.blockSize()];
    for (long b = 0; b < blocks; b++) {
      MemorySegment.copy(src, FLOAT, srcByteOffset + b * x.length * 4, x, 0, x.length);
      block(type, x, dst, dstByteOffset + b * type.blockBytes());
    }
  }

  /// Whether [#fromFloat] can make blocks of the type.
  public static boolean supports(DType.Block type) {
    return switch (type) {
      case Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 -> true;
      case Q8_1,
          Q2_K,
          Q3_K,
          Q4_K,
          Q5_K,
          Q6_K,
          Q8_K,
          IQ4_NL,
          IQ4_XS,
          TQ1_0,
          TQ2_0,
          MXFP4,
          MXFP4_PAIRS,
          NVFP4,
          Q1_0,
          Q2_0,
          CODE4 ->
          false;
      case IQ2_XXS, IQ2_XS, IQ3_XXS, IQ1_S, IQ3_S, IQ2_S, IQ1_M -> false;
    };
  }

  private static void block(DType.Block type, float[] x, MemorySegment dst, long at) {
    switch (type) {
      case Q4_0 -> signed(4, x, dst, at);
      case Q4_1 -> fromMinimum(4, x, dst, at);
      case Q5_0 -> signed(5, x, dst, at);
      case Q5_1 -> fromMinimum(5, x, dst, at);
      case Q8_0 -> q80(x, dst, at);
      case Q8_1,
          Q2_K,
          Q3_K,
          Q4_K,
          Q5_K,
          Q6_K,
          Q8_K,
          IQ4_NL,
          IQ4_XS,
          TQ1_0,
          TQ2_0,
          MXFP4,
          MXFP4_PAIRS,
          NVFP4,
          Q1_0,
          Q2_0,
          CODE4 ->
          throw new AssertionError(type);
      case IQ2_XXS, IQ2_XS, IQ3_XXS, IQ1_S, IQ3_S, IQ2_S, IQ1_M -> throw new AssertionError(type);
    }
  }

  /// Q4_0 and Q5_0: the element of the greatest magnitude becomes the lowest integer.
  private static void signed(int bits, float[] x, MemorySegment dst, long at) {
    int half = 1 << (bits - 1);
    float max = 0;
    for (float v : x) {
      max = Math.abs(v) > Math.abs(max) ? v : max;
    }
    float d = max / -half;
    float inverse = d != 0 ? 1 / d : 0;
    var q = new int[32];
    for (int i = 0; i < 32; i++) {
      q[i] = Math.min(2 * half - 1, (int) (x[i] * inverse + (half + 0.5f)));
    }
    dst.set(SHORT, at, Float.floatToFloat16(d));
    storeIntegers(bits, q, dst, at + 2);
  }

  /// Q4_1 and Q5_1: from the least element at 0 to the greatest at the highest integer.
  private static void fromMinimum(int bits, float[] x, MemorySegment dst, long at) {
    float min = Float.MAX_VALUE;
    float max = -Float.MAX_VALUE;
    for (float v : x) {
      min = v < min ? v : min;
      max = v > max ? v : max;
    }
    int top = (1 << bits) - 1;
    float d = (max - min) / top;
    float inverse = d != 0 ? 1 / d : 0;
    var q = new int[32];
    for (int i = 0; i < 32; i++) {
      q[i] = Math.min(top, (int) ((x[i] - min) * inverse + 0.5f));
    }
    dst.set(SHORT, at, Float.floatToFloat16(d));
    dst.set(SHORT, at + 2, Float.floatToFloat16(min));
    storeIntegers(bits, q, dst, at + 4);
  }

  /// The fifth bits, if any, then the nibbles.
  private static void storeIntegers(int bits, int[] q, MemorySegment dst, long at) {
    if (bits == 5) {
      int fifth = 0;
      for (int i = 0; i < 32; i++) {
        fifth |= (q[i] >> 4) << i;
      }
      dst.set(INT, at, fifth);
      at += 4;
    }
    for (int i = 0; i < 16; i++) {
      dst.set(BYTE, at + i, (byte) ((q[i] & 0xF) | (q[i + 16] & 0xF) << 4));
    }
  }

  private static void q80(float[] x, MemorySegment dst, long at) {
    float max = 0;
    for (float v : x) {
      max = Math.max(max, Math.abs(v));
    }
    float d = max / 127;
    float inverse = d != 0 ? 1 / d : 0;
    dst.set(SHORT, at, Float.floatToFloat16(d));
    for (int i = 0; i < 32; i++) {
      // Half a step goes away from zero; in double the sum is exact.
      double v = x[i] * inverse;
      dst.set(BYTE, at + 2 + i, (byte) (v + Math.copySign(0.5, v)));
    }
  }
}
