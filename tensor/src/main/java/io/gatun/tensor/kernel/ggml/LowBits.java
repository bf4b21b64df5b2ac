package io.gatun.tensor.kernel.ggml;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.INT;
import static io.gatun.tensor.kernel.scalar.Floats.LONG;
import static io.gatun.tensor.kernel.scalar.Floats.SHORT;

import io.gatun.tensor.DType.Block;
import io.gatun.tensor.kernel.dense.Lanes;

/// GGUF's formats of one to three bits as bytes with an F32 scale for each sixteen: eight bytes at
/// a time, in one register. [GridBlocks], [SmallBlocks] and [Blocks256] tell the layouts, and give
/// the same values.
///
/// All parameters are addresses. A block's bytes lie in the order of its elements.
final class LowBits {
  private static final long ONES = 0x0101010101010101L;
  private static final long TOPS = 0x8080808080808080L;

  private LowBits() {}

  static boolean supports(Block type) {
    return switch (type) {
      case IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S -> true;
      case TQ1_0, TQ2_0, Q1_0, Q2_0, Q3_K -> true;
      default -> false;
    };
  }

  /// Unpacks blocks.
  ///
  /// @param to of the bytes
  /// @param scales of F32, one for sixteen bytes
  static void unpack(Block type, long from, long blocks, long to, long scales) {
    switch (type) {
      case IQ1_S -> iq1s(from, blocks, to, scales);
      case IQ1_M -> iq1m(from, blocks, to, scales);
      case IQ2_XXS -> iq2xxs(from, blocks, to, scales);
      case IQ2_XS -> iq2xs(from, blocks, to, scales);
      case IQ2_S -> iq2s(from, blocks, to, scales);
      case IQ3_XXS -> iq3xxs(from, blocks, to, scales);
      case IQ3_S -> iq3s(from, blocks, to, scales);
      case TQ1_0 -> tq10(from, blocks, to, scales);
      case TQ2_0 -> tq20(from, blocks, to, scales);
      case Q1_0 -> q10(from, blocks, to, scales);
      case Q2_0 -> q20(from, blocks, to, scales);
      case Q3_K -> q3k(from, blocks, to, scales);
      default -> throw new IllegalArgumentException(type.name());
    }
  }

  private static void iq2xxs(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 66) {
      float d = Lanes.f16(from);
      for (int g = 0; g < 8; g++, to += 32, scales += 8) {
        int places = ALL.get(INT, from + 2 + 8 * g);
        int rest = ALL.get(INT, from + 6 + 8 * g);
        float scale = d * (0.5f + (rest >>> 28)) * 0.25f;
        ALL.set(FLOAT, scales, scale);
        ALL.set(FLOAT, scales + 4, scale);
        for (int l = 0; l < 4; l++) {
          long grid = Grids.Words.IQ2_XXS[places >>> 8 * l & 255];
          ALL.set(LONG, to + 8 * l, signed(grid, Grids.signs(rest >>> 7 * l)));
        }
      }
    }
  }

  private static void iq2xs(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 74) {
      float d = Lanes.f16(from);
      for (int g = 0; g < 16; g++, to += 16, scales += 4) {
        ALL.set(FLOAT, scales, d * (0.5f + nibble(from + 66, g)) * 0.25f);
        int q = ALL.get(INT, from + 2 + 4 * g);
        ALL.set(LONG, to, signed(Grids.Words.IQ2_XS[q & 511], Grids.signs(q >>> 9)));
        ALL.set(LONG, to + 8, signed(Grids.Words.IQ2_XS[q >>> 16 & 511], Grids.signs(q >>> 25)));
      }
    }
  }

  private static void iq2s(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 82) {
      float d = Lanes.f16(from);
      for (int g = 0; g < 16; g++, to += 16, scales += 4) {
        ALL.set(FLOAT, scales, d * (0.5f + nibble(from + 74, g)) * 0.25f);
        int q = ALL.get(SHORT, from + 2 + 2 * g);
        int signs = ALL.get(SHORT, from + 34 + 2 * g);
        int high = nibble(from + 66, g);
        long first = Grids.Words.IQ2_S[q & 255 | (high & 3) << 8];
        long second = Grids.Words.IQ2_S[q >> 8 & 255 | (high & 12) << 6];
        ALL.set(LONG, to, signed(first, signs & 255));
        ALL.set(LONG, to + 8, signed(second, signs >> 8 & 255));
      }
    }
  }

  private static void iq3xxs(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 98) {
      float d = Lanes.f16(from);
      for (int g = 0; g < 8; g++, to += 32, scales += 8) {
        long places = ALL.get(LONG, from + 2 + 8 * g);
        int rest = ALL.get(INT, from + 66 + 4 * g);
        float scale = d * (0.5f + (rest >>> 28)) * 0.5f;
        ALL.set(FLOAT, scales, scale);
        ALL.set(FLOAT, scales + 4, scale);
        for (int l = 0; l < 4; l++, places >>>= 16) {
          int low = Grids.Words.IQ3_XXS[(int) places & 255];
          long high = Grids.Words.IQ3_XXS[(int) places >>> 8 & 255];
          ALL.set(LONG, to + 8 * l, signed(low | high << 32, Grids.signs(rest >>> 7 * l)));
        }
      }
    }
  }

  private static void iq3s(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 110) {
      float d = Lanes.f16(from);
      for (int g = 0; g < 8; g++, to += 32, scales += 8) {
        float scale = d * (1 + 2 * nibble(from + 106, g));
        ALL.set(FLOAT, scales, scale);
        ALL.set(FLOAT, scales + 4, scale);
        long places = ALL.get(LONG, from + 2 + 8 * g);
        int bits = ALL.get(BYTE, from + 66 + g) & 255;
        int signs = ALL.get(INT, from + 74 + 4 * g);
        for (int l = 0; l < 4; l++, places >>>= 16, bits >>= 2) {
          int low = Grids.Words.IQ3_S[(int) places & 255 | (bits & 1) << 8];
          long high = Grids.Words.IQ3_S[(int) places >>> 8 & 255 | (bits & 2) << 7];
          ALL.set(LONG, to + 8 * l, signed(low | high << 32, signs >>> 8 * l & 255));
        }
      }
    }
  }

  /// An eighth of the scale for eight times the numbers, which are `8 x + 1` or `8 x - 1`.
  private static void iq1s(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 50) {
      float d = Lanes.f16(from);
      for (int g = 0; g < 8; g++, to += 32, scales += 8) {
        int places = ALL.get(INT, from + 2 + 4 * g);
        int high = ALL.get(SHORT, from + 34 + 2 * g);
        float scale = d * (2 * (high >> 12 & 7) + 1) * 0.125f;
        ALL.set(FLOAT, scales, scale);
        ALL.set(FLOAT, scales + 4, scale);
        for (int l = 0; l < 4; l++) {
          int place = places >>> 8 * l & 255 | (high >> 3 * l & 7) << 8;
          ALL.set(LONG, to + 8 * l, ternary(place, high < 0));
        }
      }
    }
  }

  private static void iq1m(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 56) {
      long words = ALL.get(LONG, from + 48);
      int bits = (int) Long.compress(words, 0xF000F000F000F000L);
      float d = Float.float16ToFloat((short) bits);
      for (int g = 0; g < 16; g++, to += 16, scales += 4) {
        int three = (int) (words >>> g / 4 * 16 + g % 4 * 3) & 7;
        ALL.set(FLOAT, scales, d * (2 * three + 1) * 0.125f);
        int places = ALL.get(SHORT, from + 2 * g);
        int high = ALL.get(BYTE, from + 32 + g);
        int first = places & 255 | (high & 7) << 8;
        int second = places >> 8 & 255 | (high >> 4 & 7) << 8;
        ALL.set(LONG, to, ternary(first, (high & 8) != 0));
        ALL.set(LONG, to + 8, ternary(second, (high & 0x80) != 0));
      }
    }
  }

  /// Digits of numbers to the base of three: the first byte's half of each times a power of three,
  /// times three.
  private static void tq10(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 54, to += 256) {
      float d = Lanes.f16(from + 52);
      for (int g = 0; g < 16; g++, scales += 4) {
        ALL.set(FLOAT, scales, d);
      }
      int power = 1;
      for (int n = 0; n < 5; n++, power *= 3) {
        for (int j = 0; j < 32; j += 8) {
          ALL.set(LONG, to + 32 * n + j, digits(ALL.get(LONG, from + j), power));
        }
        ALL.set(LONG, to + 160 + 16 * n, digits(ALL.get(LONG, from + 32), power));
        ALL.set(LONG, to + 168 + 16 * n, digits(ALL.get(LONG, from + 40), power));
      }
      long last = ALL.get(INT, from + 48) & 0xFFFFFFFFL;
      ALL.set(LONG, to + 240, digits(last, 1) & 0xFFFFFFFFL | digits(last, 3) << 32);
      ALL.set(LONG, to + 248, digits(last, 9) & 0xFFFFFFFFL | digits(last, 27) << 32);
    }
  }

  /// Bytes -1, 0 or 1.
  private static long digits(long bytes, int power) {
    long even = bytes & 0x00FF00FF00FF00FFL;
    long odd = bytes >>> 8 & 0x00FF00FF00FF00FFL;
    even = (even * power & 0x00FF00FF00FF00FFL) * 3 >>> 8 & 0x0003000300030003L;
    odd = (odd * power & 0x00FF00FF00FF00FFL) * 3 & 0x0300030003000300L;
    return less(even | odd, ONES);
  }

  private static void tq20(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 66, to += 256) {
      float d = Lanes.f16(from + 64);
      for (int g = 0; g < 16; g++, scales += 4) {
        ALL.set(FLOAT, scales, d);
      }
      for (int j = 0; j < 64; j += 8) {
        long q = ALL.get(LONG, from + j);
        long at = to + j / 32 * 128 + j % 32;
        for (int n = 0; n < 4; n++) {
          ALL.set(LONG, at + 32 * n, less(q >>> 2 * n & 3 * ONES, ONES));
        }
      }
    }
  }

  private static void q10(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 18, to += 128) {
      float d = Lanes.f16(from);
      for (int g = 0; g < 8; g++, scales += 4) {
        ALL.set(FLOAT, scales, d);
      }
      for (int j = 0; j < 16; j++) {
        int set = ALL.get(BYTE, from + 2 + j) & 255;
        ALL.set(LONG, to + 8 * j, ~Grids.Words.MASKS[set] | ONES);
      }
    }
  }

  private static void q20(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 18, to += 64) {
      float d = Lanes.f16(from);
      for (int g = 0; g < 4; g++, scales += 4) {
        ALL.set(FLOAT, scales, d);
      }
      for (int j = 0; j < 8; j++) {
        long q = Long.expand(ALL.get(SHORT, from + 2 + 2 * j) & 0xFFFFL, 3 * ONES);
        ALL.set(LONG, to + 8 * j, less(q, ONES));
      }
    }
  }

  private static void q3k(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 110, to += 256, scales += 64) {
      float d = Lanes.f16(from + 108);
      for (int g = 0; g < 16; g++) {
        int low = ALL.get(BYTE, from + 96 + g % 8) >> g / 8 * 4 & 0xF;
        int high = ALL.get(BYTE, from + 104 + g % 4) >> g / 4 * 2 & 3;
        ALL.set(FLOAT, scales + 4 * g, d * ((low | high << 4) - 32));
      }
      for (int j = 0; j < 32; j += 8) {
        long bits = ALL.get(LONG, from + j);
        for (int half = 0; half < 2; half++) {
          long q = ALL.get(LONG, from + 32 + 32 * half + j);
          for (int n = 0; n < 4; n++) {
            long top = (bits >>> 4 * half + n & ONES) << 2;
            long at = to + 128 * half + 32 * n + j;
            ALL.set(LONG, at, less(q >>> 2 * n & 3 * ONES | top, 4 * ONES));
          }
        }
      }
    }
  }

  private static int nibble(long from, int i) {
    return ALL.get(BYTE, from + i / 2) >> i % 2 * 4 & 15;
  }

  /// Positive bytes, negative where `signs` has ones.
  private static long signed(long bytes, int signs) {
    long mask = Grids.Words.MASKS[signs & 255];
    return (bytes ^ mask) + (mask & ONES);
  }

  private static long ternary(int place, boolean less) {
    return Grids.Words.IQ1[place & 2047] - (less ? 9 * ONES : 7 * ONES) ^ TOPS;
  }

  /// Bytes from 0 to 127 less those of `amount`.
  private static long less(long bytes, long amount) {
    return (bytes | TOPS) - amount ^ TOPS;
  }
}
