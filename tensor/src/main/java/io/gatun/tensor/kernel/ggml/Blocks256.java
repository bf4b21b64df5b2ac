package io.gatun.tensor.kernel.ggml;

import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.SHORT;
import static io.gatun.tensor.kernel.scalar.Floats.f16;

import java.lang.foreign.MemorySegment;

/// GGUF's formats with super-blocks of 256 elements, to F32.
///
/// A super-block has an F16 scale `d` (and, where its groups have minimums, an F16 scale `dmin` of
/// those) and small integer scales, one for each group of 16 or 32 elements. Layouts: ggml's
/// `ggml-common.h`.
public final class Blocks256 {
  private static final int[] POWERS_OF_3 = {1, 3, 9, 27, 81};

  private Blocks256() {}

  /// `scales[16] | qs[64] | d | dmin`, groups of 16, value `d * scale * q - dmin * min`; a byte of
  /// scales is `scale | min << 4`.
  static void q2k(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 84) {
      float d = f16(src, from + 80);
      float dmin = f16(src, from + 82);
      for (int group = 0; group < 16; group++) {
        int sc = src.get(BYTE, from + group);
        float scale = d * (sc & 0xF);
        float min = dmin * (sc >> 4 & 0xF);
        long qs = from + 16 + group / 8 * 32L + group % 2 * 16L;
        int shift = group % 8 / 2 * 2;
        for (int j = 0; j < 16; j++, to += 4) {
          int q = src.get(BYTE, qs + j) >> shift & 3;
          dst.set(FLOAT, to, scale * q - min);
        }
      }
    }
  }

  /// `hmask[32] | qs[64] | scales[12] | d`, groups of 16, value `d * (scale - 32) * (q - 4)`; bit 2
  /// of q is in hmask, scales have 4 low bits in the first 8 bytes and 2 high bits in the last 4.
  static void q3k(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 110) {
      float d = f16(src, from + 108);
      for (int group = 0; group < 16; group++) {
        int low = src.get(BYTE, from + 96 + group % 8) >> (group / 8 * 4) & 0xF;
        int high = src.get(BYTE, from + 104 + group % 4) >> (group / 4 * 2) & 3;
        float scale = d * ((low | high << 4) - 32);
        long hmask = from + group % 2 * 16L;
        long qs = from + 32 + group / 8 * 32L + group % 2 * 16L;
        int shift = group % 8 / 2 * 2;
        for (int j = 0; j < 16; j++, to += 4) {
          int q = src.get(BYTE, qs + j) >> shift & 3;
          int bit2 = src.get(BYTE, hmask + j) >> (group / 2) & 1;
          dst.set(FLOAT, to, scale * ((q | bit2 << 2) - 4));
        }
      }
    }
  }

  /// `d | dmin | scales[12] | qs[128]`, groups of 32, value `d * scale * q - dmin * min`; 32 bytes
  /// of qs hold one group in their low nibbles and the next in their high ones.
  static void q4k(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 144) {
      float d = f16(src, from);
      float dmin = f16(src, from + 2);
      for (int group = 0; group < 8; group++) {
        float scale = d * scale6(src, from + 4, group);
        float min = dmin * min6(src, from + 4, group);
        long qs = from + 16 + group / 2 * 32L;
        for (int j = 0; j < 32; j++, to += 4) {
          int q = src.get(BYTE, qs + j) >> (group % 2 * 4) & 0xF;
          dst.set(FLOAT, to, scale * q - min);
        }
      }
    }
  }

  /// `d | dmin | scales[12] | qh[32] | qs[128]`: as Q4_K, the fifth bit of group g is bit g of qh.
  static void q5k(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 176) {
      float d = f16(src, from);
      float dmin = f16(src, from + 2);
      for (int group = 0; group < 8; group++) {
        float scale = d * scale6(src, from + 4, group);
        float min = dmin * min6(src, from + 4, group);
        long qs = from + 48 + group / 2 * 32L;
        for (int j = 0; j < 32; j++, to += 4) {
          int q = src.get(BYTE, qs + j) >> (group % 2 * 4) & 0xF;
          int bit4 = src.get(BYTE, from + 16 + j) >> group & 1;
          dst.set(FLOAT, to, scale * (q | bit4 << 4) - min);
        }
      }
    }
  }

  /// The 6-bit scale of group 0..7 in the 12 bytes of Q4_K and Q5_K: whole in the low bits of bytes
  /// 0..3, and split over a low nibble of bytes 8..11 and the top bits of bytes 0..3.
  public static int scale6(MemorySegment s, long scales, int group) {
    return group < 4
        ? s.get(BYTE, scales + group) & 63
        : (s.get(BYTE, scales + group + 4) & 0xF) | (s.get(BYTE, scales + group - 4) >> 6 & 3) << 4;
  }

  /// The 6-bit minimum of group 0..7: bytes 4..7, the high nibbles of 8..11 and top bits of 4..7.
  public static int min6(MemorySegment s, long scales, int group) {
    return group < 4
        ? s.get(BYTE, scales + group + 4) & 63
        : (s.get(BYTE, scales + group + 4) >> 4 & 0xF)
            | (s.get(BYTE, scales + group) >> 6 & 3) << 4;
  }

  /// `ql[128] | qh[64] | scales[16] | d`, groups of 16, value `d * scale * (q - 32)`; each half of
  /// 128 elements takes 64 bytes of ql (nibbles) and 32 of qh (bit pairs).
  static void q6k(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 210) {
      float d = f16(src, from + 208);
      for (int group = 0; group < 16; group++) {
        float scale = d * src.get(BYTE, from + 192 + group);
        int half = group / 8;
        int quarter = group % 8 / 2;
        long ql = from + half * 64L + quarter % 2 * 32L + group % 2 * 16L;
        long qh = from + 128 + half * 32L + group % 2 * 16L;
        for (int j = 0; j < 16; j++, to += 4) {
          int low = src.get(BYTE, ql + j) >> (quarter / 2 * 4) & 0xF;
          int high = src.get(BYTE, qh + j) >> (quarter * 2) & 3;
          dst.set(FLOAT, to, scale * ((low | high << 4) - 32));
        }
      }
    }
  }

  /// `d (F32) | qs[256] | sums[16]`, value `d * q`; sums, of 16 qs each, serve products only.
  static void q8k(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 292) {
      float d = src.get(FLOAT, from);
      for (int j = 0; j < 256; j++, to += 4) {
        dst.set(FLOAT, to, d * src.get(BYTE, from + 4 + j));
      }
    }
  }

  /// `d | scalesHigh (16 bits) | scalesLow[4] | qs[128]`, groups of 32 laid out as IQ4_NL's, value
  /// `d * (scale - 32) * level(q)`.
  static void iq4xs(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 136) {
      float d = f16(src, from);
      int scalesHigh = src.get(SHORT, from + 2);
      for (int group = 0; group < 8; group++, to += 128) {
        int low = src.get(BYTE, from + 4 + group / 2) >> (group % 2 * 4) & 0xF;
        int scale = low | (scalesHigh >> (group * 2) & 3) << 4;
        Blocks32.iq4Levels(src, from + 8 + group * 16L, d * (scale - 32), dst, to);
      }
    }
  }

  /// `qs[48] | qh[4] | d`, value `(q - 1) * d`. A byte holds five base-3 digits (four in qh) as a
  /// fraction of 256; times 3^k modulo 256, digit k is what three times it carries over.
  static void tq10(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 54, to += 1024) {
      float d = f16(src, from + 52);
      ternaryDigits(src, from, 32, 5, d, dst, to);
      ternaryDigits(src, from + 32, 16, 5, d, dst, to + 640);
      ternaryDigits(src, from + 48, 4, 4, d, dst, to + 960);
    }
  }

  private static void ternaryDigits(
      MemorySegment src, long from, int bytes, int digits, float d, MemorySegment dst, long to) {
    for (int k = 0; k < digits; k++) {
      for (int j = 0; j < bytes; j++, to += 4) {
        int fraction = src.get(BYTE, from + j) * POWERS_OF_3[k] & 0xFF;
        dst.set(FLOAT, to, (((fraction * 3) >> 8) - 1) * d);
      }
    }
  }

  /// `qs[64] | d`, value `(q - 1) * d`, four elements in a byte, 32 apart.
  static void tq20(MemorySegment src, long from, MemorySegment dst, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 66) {
      float d = f16(src, from + 64);
      for (int j = 0; j < 256; j++, to += 4) {
        int q = src.get(BYTE, from + j / 128 * 32L + j % 32) >> (j % 128 / 32 * 2) & 3;
        dst.set(FLOAT, to, (q - 1) * d);
      }
    }
  }
}
