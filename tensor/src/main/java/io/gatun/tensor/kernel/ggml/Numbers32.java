package io.gatun.tensor.kernel.ggml;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.Lanes.BASE;
import static io.gatun.tensor.kernel.dense.Lanes.f16;
import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.INT;
import static io.gatun.tensor.kernel.scalar.Floats.LONG;
import static io.gatun.tensor.kernel.scalar.Floats.SHORT;

/// GGUF's formats of 32 elements, and the one of eight times as many, as bytes with an F32 scale
/// and minimum: `scale * byte + minimum`. Eight bytes at a time, in one register. [Blocks32] and
/// [Blocks256] tell the layouts, and give the same values.
///
/// All parameters but `blocks` are addresses. A block's bytes lie in the order of its elements.
final class Numbers32 {
  private static final long LOW = 0x0F0F0F0F0F0F0F0FL;

  /// In each byte the bit behind those of [#LOW].
  private static final long FIFTH = 0x1010101010101010L;

  /// For each byte the levels of IQ4's two places: the low one in the lowest byte, the other in
  /// byte 4.
  private static final long[] LEVELS = new long[256];

  static {
    for (int b = 0; b < LEVELS.length; b++) {
      long high = Blocks32.IQ4_LEVELS[b >> 4] & 255;
      LEVELS[b] = high << 32 | Blocks32.IQ4_LEVELS[b & 15] & 255;
    }
  }

  private Numbers32() {}

  static void q40(long from, int blocks, long to, long scales, long minima) {
    for (int b = 0; b < blocks; b++) {
      long w = from + 18L * b & BASE;
      long q = to + 32L * b & BASE;
      long s = scales + 4L * b & BASE;
      long m = minima + 4L * b & BASE;
      float d = f16(w);
      put(s, d);
      put(m, -8 * d);
      nibbles(w + 2, q);
      nibbles(w + 10, q + 8);
    }
  }

  static void q41(long from, int blocks, long to, long scales, long minima) {
    for (int b = 0; b < blocks; b++) {
      long w = from + 20L * b & BASE;
      long q = to + 32L * b & BASE;
      long s = scales + 4L * b & BASE;
      long m = minima + 4L * b & BASE;
      put(s, f16(w));
      put(m, f16(w + 2));
      nibbles(w + 4, q);
      nibbles(w + 12, q + 8);
    }
  }

  static void q50(long from, int blocks, long to, long scales, long minima) {
    for (int b = 0; b < blocks; b++) {
      long w = from + 22L * b & BASE;
      long q = to + 32L * b & BASE;
      long s = scales + 4L * b & BASE;
      long m = minima + 4L * b & BASE;
      float d = f16(w);
      put(s, d);
      put(m, -16 * d);
      int fifth = ALL.get(INT, w + 2);
      nibbles(w + 6, fifth, q);
      nibbles(w + 14, fifth >>> 8, q + 8);
    }
  }

  static void q51(long from, int blocks, long to, long scales, long minima) {
    for (int b = 0; b < blocks; b++) {
      long w = from + 24L * b & BASE;
      long q = to + 32L * b & BASE;
      long s = scales + 4L * b & BASE;
      long m = minima + 4L * b & BASE;
      put(s, f16(w));
      put(m, f16(w + 2));
      int fifth = ALL.get(INT, w + 4);
      nibbles(w + 8, fifth, q);
      nibbles(w + 16, fifth >>> 8, q + 8);
    }
  }

  static void q80(long from, int blocks, long to, long scales) {
    for (int b = 0; b < blocks; b++) {
      long w = from + 34L * b & BASE;
      long q = to + 32L * b & BASE;
      long s = scales + 4L * b & BASE;
      put(s, f16(w));
      put(q, getLong(w + 2));
      put(q + 8, getLong(w + 10));
      put(q + 16, getLong(w + 18));
      put(q + 24, getLong(w + 26));
    }
  }

  static void iq4nl(long from, int blocks, long to, long scales) {
    for (int b = 0; b < blocks; b++) {
      long w = from + 18L * b & BASE;
      put(scales + 4L * b & BASE, f16(w));
      levels(w + 2, to + 32L * b & BASE);
    }
  }

  /// Blocks of 256, which have eight scales.
  static void iq4xs(long from, int blocks, long to, long scales) {
    for (int g = 0; g < 8 * blocks; g++) {
      long w = from + 136L * (g >> 3) & BASE;
      int i = g & 7;
      int low = ALL.get(BYTE, w + 4 + (i >> 1)) >> (i & 1) * 4 & 15;
      int high = ALL.get(SHORT, w + 2) >> 2 * i & 3;
      put(scales + 4L * g & BASE, f16(w) * ((low | high << 4) - 32));
      levels(w + 8 + 16 * i, to + 32L * g & BASE);
    }
  }

  /// The levels of a block's sixteen bytes.
  private static void levels(long from, long to) {
    long a = four(ALL.get(INT, from));
    long b = four(ALL.get(INT, from + 4));
    long c = four(ALL.get(INT, from + 8));
    long d = four(ALL.get(INT, from + 12));
    put(to, a & 0xFFFFFFFFL | b << 32);
    put(to + 8, c & 0xFFFFFFFFL | d << 32);
    put(to + 16, a >>> 32 | b & 0xFFFFFFFF00000000L);
    put(to + 24, c >>> 32 | d & 0xFFFFFFFF00000000L);
  }

  /// The levels of four bytes' low halves, and above them those of their high ones.
  private static long four(int q) {
    return LEVELS[q & 255]
        | LEVELS[q >>> 8 & 255] << 8
        | LEVELS[q >>> 16 & 255] << 16
        | LEVELS[q >>> 24] << 24;
  }

  /// Elements k to k + 7 of a block, and 16 + k to 16 + k + 7.
  private static void nibbles(long from, long to) {
    long q = getLong(from);
    put(to, q & LOW);
    put(to + 16, q >>> 4 & LOW);
  }

  /// @param fifth bits 0 to 7 of the first eight, and 16 to 23 of the others
  private static void nibbles(long from, int fifth, long to) {
    long q = getLong(from);
    put(to, q & LOW | Grids.Words.MASKS[fifth & 255] & FIFTH);
    put(to + 16, q >>> 4 & LOW | Grids.Words.MASKS[fifth >>> 16 & 255] & FIFTH);
  }

  private static long getLong(long at) {
    return ALL.get(LONG, at);
  }

  private static void put(long at, long bytes) {
    ALL.set(LONG, at, bytes);
  }

  private static void put(long at, float number) {
    ALL.set(FLOAT, at, number);
  }
}
