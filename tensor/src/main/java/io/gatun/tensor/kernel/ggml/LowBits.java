package io.gatun.tensor.kernel.ggml;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.INT;
import static io.gatun.tensor.kernel.scalar.Floats.LONG;
import static io.gatun.tensor.kernel.scalar.Floats.SHORT;

import io.gatun.tensor.DType.Block;
import io.gatun.tensor.kernel.dense.Lanes;
import java.lang.foreign.MemorySegment;

/// GGUF's formats of one to three bits as bytes with an F32 scale for each sixteen: eight bytes at
/// a time, in one register. Short loops are written out: C2 would split them in three, for the
/// bounds of so few turns. [GridBlocks], [SmallBlocks] and [Blocks256] tell the layouts, and give
/// the same values.
///
/// All parameters are addresses. A block's bytes lie in the order of its elements.
public final class LowBits {
  private static final long ONES = 0x0101010101010101L;
  private static final long TOPS = 0x8080808080808080L;

  private LowBits() {}

  /// Whether blocks of the type can be unpacked.
  public static boolean supports(Block type) {
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
  public static void unpack(Block type, long from, long blocks, long to, long scales) {
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

  /// The bytes of the numbers and scales of `columns` elements.
  public static long scratchBytes(int columns) {
    return columns + columns / 4;
  }

  /// The F16 that the scales of a block of 256 elements are multiples of.
  public static short scale(Block type, MemorySegment src, long block) {
    if (type == Block.IQ1_M) {
      return iq1mScale(src.get(LONG, block + 48));
    }
    return src.get(SHORT, block + (type == Block.Q3_K ? 108 : 0));
  }

  private static short iq1mScale(long words) {
    return (short) Long.compress(words, 0xF000F000F000F000L);
  }

  private static void iq2xxs(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 66) {
      float d = Lanes.f16(from);
      for (int g = 0; g < 8; g++, to += 32, scales += 8) {
        int p = getInt(from + 2 + 8 * g);
        int rest = getInt(from + 6 + 8 * g);
        twice(scales, d * (0.5f + (rest >>> 28)) * 0.25f);
        put(to, evenly(Grids.Words.IQ2_XXS[p & 255], rest));
        put(to + 8, evenly(Grids.Words.IQ2_XXS[p >>> 8 & 255], rest >>> 7));
        put(to + 16, evenly(Grids.Words.IQ2_XXS[p >>> 16 & 255], rest >>> 14));
        put(to + 24, evenly(Grids.Words.IQ2_XXS[p >>> 24], rest >>> 21));
      }
    }
  }

  private static void iq2xs(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 74) {
      float d = Lanes.f16(from);
      for (int g = 0; g < 16; g++, to += 16, scales += 4) {
        put(scales, d * (0.5f + nibble(from + 66, g)) * 0.25f);
        int q = getInt(from + 2 + 4 * g);
        put(to, evenly(Grids.Words.IQ2_XS[q & 511], q >>> 9));
        put(to + 8, evenly(Grids.Words.IQ2_XS[q >>> 16 & 511], q >>> 25));
      }
    }
  }

  private static void iq2s(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 82) {
      float d = Lanes.f16(from);
      for (int g = 0; g < 16; g++, to += 16, scales += 4) {
        put(scales, d * (0.5f + nibble(from + 74, g)) * 0.25f);
        int q = getShort(from + 2 + 2 * g);
        int signs = getShort(from + 34 + 2 * g);
        int high = nibble(from + 66, g);
        put(to, signed(Grids.Words.IQ2_S[q & 255 | (high & 3) << 8], signs));
        put(to + 8, signed(Grids.Words.IQ2_S[q >> 8 & 255 | (high & 12) << 6], signs >> 8));
      }
    }
  }

  private static void iq3xxs(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 98) {
      float d = Lanes.f16(from);
      for (int g = 0; g < 8; g++, to += 32, scales += 8) {
        int p = getInt(from + 2 + 8 * g);
        int q = getInt(from + 6 + 8 * g);
        int rest = getInt(from + 66 + 4 * g);
        twice(scales, d * (0.5f + (rest >>> 28)) * 0.5f);
        put(to, evenly(pair(Grids.Words.IQ3_XXS, p & 255, p >>> 8 & 255), rest));
        put(to + 8, evenly(pair(Grids.Words.IQ3_XXS, p >>> 16 & 255, p >>> 24), rest >>> 7));
        put(to + 16, evenly(pair(Grids.Words.IQ3_XXS, q & 255, q >>> 8 & 255), rest >>> 14));
        put(to + 24, evenly(pair(Grids.Words.IQ3_XXS, q >>> 16 & 255, q >>> 24), rest >>> 21));
      }
    }
  }

  private static void iq3s(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 110) {
      float d = Lanes.f16(from);
      for (int g = 0; g < 8; g++, to += 32, scales += 8) {
        twice(scales, d * (1 + 2 * nibble(from + 106, g)));
        int p = getInt(from + 2 + 8 * g);
        int q = getInt(from + 6 + 8 * g);
        int h = getByte(from + 66 + g);
        int signs = getInt(from + 74 + 4 * g);
        put(to, signed(nine(p, h), signs));
        put(to + 8, signed(nine(p >>> 16, h >> 2), signs >>> 8));
        put(to + 16, signed(nine(q, h >> 4), signs >>> 16));
        put(to + 24, signed(nine(q >>> 16, h >> 6), signs >>> 24));
      }
    }
  }

  /// Two places of nine bits, whose highest are in `high`.
  private static long nine(int places, int high) {
    int low = places & 255 | (high & 1) << 8;
    return pair(Grids.Words.IQ3_S, low, places >>> 8 & 255 | (high & 2) << 7);
  }

  private static long pair(int[] grid, int low, int high) {
    return grid[low] | (long) grid[high] << 32;
  }

  /// An eighth of the scale for eight times the numbers, which are `8 x + 1` or `8 x - 1`.
  private static void iq1s(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 50) {
      float d = Lanes.f16(from);
      for (int g = 0; g < 8; g++, to += 32, scales += 8) {
        int p = getInt(from + 2 + 4 * g);
        int high = getShort(from + 34 + 2 * g);
        twice(scales, d * (2 * (high >> 12 & 7) + 1) * 0.125f);
        long less = high < 0 ? 9 * ONES : 7 * ONES;
        put(to, ternary(p & 255 | (high & 7) << 8, less));
        put(to + 8, ternary(p >>> 8 & 255 | (high >> 3 & 7) << 8, less));
        put(to + 16, ternary(p >>> 16 & 255 | (high >> 6 & 7) << 8, less));
        put(to + 24, ternary(p >>> 24 | (high >> 9 & 7) << 8, less));
      }
    }
  }

  private static void iq1m(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 56) {
      long words = getLong(from + 48);
      float d = Float.float16ToFloat(iq1mScale(words));
      for (int g = 0; g < 16; g++, to += 16, scales += 4) {
        int three = (int) (words >>> (g >> 2) * 16 + (g & 3) * 3) & 7;
        put(scales, d * (2 * three + 1) * 0.125f);
        int places = getShort(from + 2 * g);
        int high = getByte(from + 32 + g);
        int first = places & 255 | (high & 7) << 8;
        int second = places >> 8 & 255 | (high >> 4 & 7) << 8;
        put(to, ternary(first, (high & 8) != 0 ? 9 * ONES : 7 * ONES));
        put(to + 8, ternary(second, (high & 0x80) != 0 ? 9 * ONES : 7 * ONES));
      }
    }
  }

  /// Digits of numbers to the base of three: the fraction of each byte times a power of three is
  /// multiplied by three.
  private static void tq10(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 54, to += 256, scales += 64) {
      fill(scales, 16, Lanes.f16(from + 52));
      for (int j = 0; j < 32; j += 8) {
        long q = getLong(from + j);
        put(to + j, digits(q, 1));
        put(to + 32 + j, digits(q, 3));
        put(to + 64 + j, digits(q, 9));
        put(to + 96 + j, digits(q, 27));
        put(to + 128 + j, digits(q, 81));
      }
      for (int j = 0; j < 16; j += 8) {
        long q = getLong(from + 32 + j);
        put(to + 160 + j, digits(q, 1));
        put(to + 176 + j, digits(q, 3));
        put(to + 192 + j, digits(q, 9));
        put(to + 208 + j, digits(q, 27));
        put(to + 224 + j, digits(q, 81));
      }
      long last = getInt(from + 48) & 0xFFFFFFFFL;
      put(to + 240, digits(last, 1) & 0xFFFFFFFFL | digits(last, 3) << 32);
      put(to + 248, digits(last, 9) & 0xFFFFFFFFL | digits(last, 27) << 32);
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
    for (long b = 0; b < blocks; b++, from += 66, to += 256, scales += 64) {
      fill(scales, 16, Lanes.f16(from + 64));
      for (int j = 0; j < 64; j += 8) {
        long q = getLong(from + j);
        long at = to + (j & 32) * 4 + (j & 31);
        put(at, less(q & 3 * ONES, ONES));
        put(at + 32, less(q >>> 2 & 3 * ONES, ONES));
        put(at + 64, less(q >>> 4 & 3 * ONES, ONES));
        put(at + 96, less(q >>> 6 & 3 * ONES, ONES));
      }
    }
  }

  private static void q10(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 18, to += 128, scales += 32) {
      fill(scales, 8, Lanes.f16(from));
      for (int j = 0; j < 16; j += 4) {
        int set = getInt(from + 2 + j);
        put(to + 8 * j, ~Grids.Words.MASKS[set & 255] | ONES);
        put(to + 8 * j + 8, ~Grids.Words.MASKS[set >>> 8 & 255] | ONES);
        put(to + 8 * j + 16, ~Grids.Words.MASKS[set >>> 16 & 255] | ONES);
        put(to + 8 * j + 24, ~Grids.Words.MASKS[set >>> 24] | ONES);
      }
    }
  }

  private static void q20(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 18, to += 64, scales += 16) {
      fill(scales, 4, Lanes.f16(from));
      for (int j = 0; j < 8; j++) {
        long q = Long.expand(getShort(from + 2 + 2 * j) & 0xFFFFL, 3 * ONES);
        put(to + 8 * j, less(q, ONES));
      }
    }
  }

  private static void q3k(long from, long blocks, long to, long scales) {
    for (long b = 0; b < blocks; b++, from += 110, to += 256, scales += 64) {
      float d = Lanes.f16(from + 108);
      for (int g = 0; g < 16; g++) {
        int low = getByte(from + 96 + (g & 7)) >> (g >> 3) * 4 & 0xF;
        int high = getByte(from + 104 + (g & 3)) >> (g >> 2) * 2 & 3;
        put(scales + 4 * g, d * ((low | high << 4) - 32));
      }
      for (int j = 0; j < 64; j += 8) {
        long bits = getLong(from + (j & 31)) >>> (j >> 5) * 4;
        long q = getLong(from + 32 + j);
        long at = to + (j & 32) * 4 + (j & 31);
        put(at, less(q & 3 * ONES | (bits & ONES) << 2, 4 * ONES));
        put(at + 32, less(q >>> 2 & 3 * ONES | (bits >>> 1 & ONES) << 2, 4 * ONES));
        put(at + 64, less(q >>> 4 & 3 * ONES | (bits >>> 2 & ONES) << 2, 4 * ONES));
        put(at + 96, less(q >>> 6 & 3 * ONES | (bits >>> 3 & ONES) << 2, 4 * ONES));
      }
    }
  }

  private static int getByte(long at) {
    return ALL.get(BYTE, at & IN_BOUNDS);
  }

  private static int getShort(long at) {
    return ALL.get(SHORT, at & IN_BOUNDS);
  }

  private static int getInt(long at) {
    return ALL.get(INT, at & IN_BOUNDS);
  }

  private static long getLong(long at) {
    return ALL.get(LONG, at & IN_BOUNDS);
  }

  private static void put(long at, long bytes) {
    ALL.set(LONG, at & IN_BOUNDS, bytes);
  }

  private static void put(long at, float scale) {
    ALL.set(FLOAT, at & IN_BOUNDS, scale);
  }

  private static void twice(long at, float scale) {
    put(at, scale);
    put(at + 4, scale);
  }

  private static void fill(long at, int count, float scale) {
    for (int i = 0; i < count; i += 2) {
      twice(at + 4 * i, scale);
    }
  }

  private static int nibble(long from, int i) {
    return getByte(from + (i >> 1)) >> (i & 1) * 4 & 15;
  }

  /// Positive bytes, negative where `signs` has ones.
  private static long signed(long bytes, int signs) {
    return negative(bytes, Grids.Words.MASKS[signs & 255]);
  }

  /// The same with seven signs, of which an even number of eight is negative.
  private static long evenly(long bytes, int signs) {
    return negative(bytes, Grids.Words.EVEN[signs & 127]);
  }

  private static long negative(long bytes, long mask) {
    return (bytes ^ mask) + (mask & ONES);
  }

  private static long ternary(int place, long less) {
    return Grids.Words.IQ1[place] - less ^ TOPS;
  }

  /// Bytes from 0 to 127 less those of `amount`.
  private static long less(long bytes, long amount) {
    return (bytes | TOPS) - amount ^ TOPS;
  }
}
