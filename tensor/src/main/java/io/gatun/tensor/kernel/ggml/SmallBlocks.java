package io.gatun.tensor.kernel.ggml;

import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.f16;

import java.lang.foreign.MemorySegment;

/// GGUF's formats of one, two and four bits in blocks of 64 and 128, to F32. Layouts: ggml's
/// `ggml-common.h`.
final class SmallBlocks {
  /// Half the values of unsigned F8_E4M3, without its NaN.
  private static final float[] HALF_SCALES = halfScales();

  private SmallBlocks() {}

  private static float[] halfScales() {
    var scales = new float[256];
    for (int i = 0; i < 256; i++) {
      int exponent = i >> 3 & 15;
      int mantissa = i & 7;
      scales[i] =
          exponent == 0
              ? Math.scalb((float) mantissa, -10)
              : Math.scalb(8f + mantissa, exponent - 11);
    }
    scales[0x7F] = 0;
    return scales;
  }

  /// `scales[4] | qs[32]`: four groups of 16, of which a byte has element j in its low half and j +
  /// 8 in its high one.
  static void nvfp4(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 36) {
      for (int g = 0; g < 4; g++, to += 64) {
        float half = HALF_SCALES[src.get(BYTE, from + g) & 0xFF];
        for (int j = 0; j < 8; j++) {
          int q = src.get(BYTE, from + 4 + 8 * g + j);
          dst.set(FLOAT, to + 4 * j, half * Blocks32.MXFP4_LEVELS[q & 15]);
          dst.set(FLOAT, to + 32 + 4 * j, half * Blocks32.MXFP4_LEVELS[q >> 4 & 15]);
        }
      }
    }
  }

  /// `d | qs[16]`: 128 bits, d where they are set, and else -d.
  static void q10(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 18) {
      float d = f16(src, from);
      for (int i = 0; i < 128; i++, to += 4) {
        boolean set = (src.get(BYTE, from + 2 + i / 8) >> i % 8 & 1) != 0;
        dst.set(FLOAT, to, set ? d : -d);
      }
    }
  }

  /// `d | qs[16]`: 64 times two bits, `(q - 1) d`.
  static void q20(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 18) {
      float d = f16(src, from);
      for (int i = 0; i < 64; i++, to += 4) {
        int q = src.get(BYTE, from + 2 + i / 4) >> i % 4 * 2 & 3;
        dst.set(FLOAT, to, (q - 1) * d);
      }
    }
  }
}
