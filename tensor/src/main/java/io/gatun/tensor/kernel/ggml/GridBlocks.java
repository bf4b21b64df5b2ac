package io.gatun.tensor.kernel.ggml;

import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.INT;
import static io.gatun.tensor.kernel.scalar.Floats.SHORT;
import static io.gatun.tensor.kernel.scalar.Floats.f16;

import java.lang.foreign.MemorySegment;

/// GGUF's formats of one to three bits whose elements are entries of [Grids], four or eight at a
/// time, to F32: blocks of 256, in eight groups of 32. Layouts: ggml's `ggml-common.h`.
final class GridBlocks {
  private static final float DELTA = 0.125f;

  private GridBlocks() {}

  /// `d | {grid[4], signs and scale}[8]`: 4 bytes of places and 4 times 7 bits of signs, with a
  /// scale above them.
  static void iq2xxs(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 66) {
      float d = f16(src, from);
      for (int g = 0; g < 8; g++) {
        long at = from + 2 + 8 * g;
        int rest = src.get(INT, at + 4);
        float scale = d * (0.5f + (rest >>> 28)) * 0.25f;
        for (int l = 0; l < 4; l++, to += 32) {
          int place = src.get(BYTE, at + l) & 0xFF;
          eight(Grids.IQ2_XXS, place, Grids.signs(rest >>> 7 * l), scale, dst, to);
        }
      }
    }
  }

  /// `d | qs[32] | scales[8]`: words of 9 bits of a place and 7 of signs; half a byte of scale for
  /// 16 elements.
  static void iq2xs(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 74) {
      float d = f16(src, from);
      for (int i = 0; i < 32; i++, to += 32) {
        int q = src.get(SHORT, from + 2 + 2 * i);
        float scale = d * (0.5f + nibble(src, from + 66, i / 2)) * 0.25f;
        eight(Grids.IQ2_XS, q & 511, Grids.signs(q >> 9), scale, dst, to);
      }
    }
  }

  /// `d | qs[32] | signs[32] | qh[8] | scales[8]`: 8 bits of a place, of which 2 more are in qh.
  static void iq2s(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 82) {
      float d = f16(src, from);
      for (int i = 0; i < 32; i++, to += 32) {
        int high = src.get(BYTE, from + 66 + i / 4) >> i % 4 * 2 & 3;
        int place = src.get(BYTE, from + 2 + i) & 0xFF | high << 8;
        float scale = d * (0.5f + nibble(src, from + 74, i / 2)) * 0.25f;
        eight(Grids.IQ2_S, place, src.get(BYTE, from + 34 + i), scale, dst, to);
      }
    }
  }

  /// `d | qs[64] | signs and scale[8]`: as [#iq2xxs], of places of four elements.
  static void iq3xxs(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 98) {
      float d = f16(src, from);
      for (int i = 0; i < 64; i++, to += 16) {
        int rest = src.get(INT, from + 66 + i / 8 * 4);
        float scale = d * (0.5f + (rest >>> 28)) * 0.5f;
        int signs = Grids.signs(rest >>> i % 8 / 2 * 7) >> i % 2 * 4;
        four(Grids.IQ3_XXS, src.get(BYTE, from + 2 + i) & 0xFF, signs, scale, dst, to);
      }
    }
  }

  /// `d | qs[64] | qh[8] | signs[32] | scales[4]`: 8 bits of a place, of which one more is in qh.
  static void iq3s(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 110) {
      float d = f16(src, from);
      for (int i = 0; i < 64; i++, to += 16) {
        int high = src.get(BYTE, from + 66 + i / 8) >> i % 8 & 1;
        int place = src.get(BYTE, from + 2 + i) & 0xFF | high << 8;
        float scale = d * (1 + 2 * nibble(src, from + 106, i / 8));
        int signs = src.get(BYTE, from + 74 + i / 2) >> i % 2 * 4;
        four(Grids.IQ3_S, place, signs, scale, dst, to);
      }
    }
  }

  /// `d | qs[32] | qh[8]`: 8 bits of a place; in a group's word 3 more of each, a scale, and the
  /// sign of what is added to all.
  static void iq1s(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 50) {
      float d = f16(src, from);
      for (int i = 0; i < 32; i++, to += 32) {
        int high = src.get(SHORT, from + 34 + i / 4 * 2);
        int place = src.get(BYTE, from + 2 + i) & 0xFF | (high >> i % 4 * 3 & 7) << 8;
        float scale = d * (2 * (high >> 12 & 7) + 1);
        ternary(place, scale, high < 0 ? -DELTA : DELTA, dst, to);
      }
    }
  }

  /// `qs[32] | qh[16] | scales[8]`: as [#iq1s], with 3 bits and a sign in half a byte of qh, and 3
  /// bits of scale for 16 elements in words, above which stand the parts of the F16 d.
  static void iq1m(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 56) {
      int bits = 0;
      for (int i = 0; i < 4; i++) {
        bits |= (src.get(SHORT, from + 48 + 2 * i) >> 12 & 15) << 4 * i;
      }
      float d = Float.float16ToFloat((short) bits);
      for (int i = 0; i < 32; i++, to += 32) {
        int high = nibble(src, from + 32, i);
        int place = src.get(BYTE, from + i) & 0xFF | (high & 7) << 8;
        int three = src.get(SHORT, from + 48 + i / 8 * 2) >> i / 2 % 4 * 3 & 7;
        ternary(place, d * (2 * three + 1), (high & 8) != 0 ? -DELTA : DELTA, dst, to);
      }
    }
  }

  private static int nibble(MemorySegment src, long from, int i) {
    return src.get(BYTE, from + i / 2) >> i % 2 * 4 & 15;
  }

  private static void eight(
      byte[] grid, int place, int signs, float scale, MemorySegment dst, long to) {
    for (int j = 0; j < 8; j++) {
      float value = scale * grid[8 * place + j];
      dst.set(FLOAT, to + 4 * j, (signs >> j & 1) == 0 ? value : -value);
    }
  }

  private static void four(
      byte[] grid, int place, int signs, float scale, MemorySegment dst, long to) {
    for (int j = 0; j < 4; j++) {
      float value = scale * grid[4 * place + j];
      dst.set(FLOAT, to + 4 * j, (signs >> j & 1) == 0 ? value : -value);
    }
  }

  private static void ternary(int place, float scale, float delta, MemorySegment dst, long to) {
    for (int j = 0; j < 8; j++) {
      dst.set(FLOAT, to + 4 * j, scale * (Grids.IQ1[8 * place + j] + delta));
    }
  }
}
