package io.gatun.tensor.kernel.ggml;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.Lanes.BASE;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.LONG_BYTES;
import static io.gatun.tensor.kernel.dense.Lanes.bytes;
import static io.gatun.tensor.kernel.dense.Lanes.f16;
import static io.gatun.tensor.kernel.dense.Lanes.longs;
import static io.gatun.tensor.kernel.dense.Lanes.store;
import static io.gatun.tensor.kernel.dense.Lanes.toFloat;
import static io.gatun.tensor.kernel.scalar.Floats.LONG;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.XOR;

import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;

/// GGUF's formats of 256 elements as bytes with an F32 scale for each group of them, and all but
/// Q6_K with a minimum: `scale * byte + minimum`. [Blocks256] tells the layouts, and gives the same
/// values.
///
/// All parameters but `blocks` are addresses. A block's bytes lie in the order of its elements.
/// Scales and minima are written in whole vectors: up to [#BEYOND] bytes behind the last are
/// overwritten, as many at `scratch`.
final class KNumbers {
  static final int BEYOND = 64;

  private static final long ONES = 0x0101010101010101L;
  private static final long TOPS = 0x8080808080808080L;

  private KNumbers() {}

  static void q2k(long from, int blocks, long to, long scales, long minima) {
    for (int b = 0; b < blocks; b++) {
      long block = from + 84L * b & BASE;
      long at = to + 256L * b & BASE;
      float d = f16(block + 80);
      float m = -f16(block + 82);
      for (int j = 0; j < 16; j += COUNT) {
        IntVector both = bytes(block + j);
        store(toFloat(both.and(15)).mul(d), scales + 64L * b + 4 * j);
        store(toFloat(both.lanewise(LSHR, 4).and(15)).mul(m), minima + 64L * b + 4 * j);
      }
      for (int j = 0; j < 64; j += LONG_BYTES) {
        LongVector q = longs(block + 16 + j);
        long row = at + (j & 32) * 4 + (j & 31);
        store(q.and(3 * ONES), row);
        store(q.lanewise(LSHR, 2).and(3 * ONES), row + 32);
        store(q.lanewise(LSHR, 4).and(3 * ONES), row + 64);
        store(q.lanewise(LSHR, 6).and(3 * ONES), row + 96);
      }
    }
  }

  static void q4k(long from, int blocks, long to, long scales, long minima, long scratch) {
    for (int b = 0; b < blocks; b++) {
      long block = from + 144L * b & BASE;
      long at = to + 256L * b & BASE;
      scales(block, scales + 32L * b, minima + 32L * b, scratch);
      for (int j = 0; j < 128; j += LONG_BYTES) {
        LongVector q = longs(block + 16 + j);
        long row = at + (j >> 5) * 64 + (j & 31);
        store(q.and(15 * ONES), row);
        store(q.lanewise(LSHR, 4).and(15 * ONES), row + 32);
      }
    }
  }

  static void q5k(long from, int blocks, long to, long scales, long minima, long scratch) {
    for (int b = 0; b < blocks; b++) {
      long block = from + 176L * b & BASE;
      long at = to + 256L * b & BASE;
      scales(block, scales + 32L * b, minima + 32L * b, scratch);
      for (int j = 0; j < 128; j += LONG_BYTES) {
        LongVector q = longs(block + 48 + j);
        LongVector h = longs(block + 16 + (j & 31)).lanewise(LSHR, (j >> 5) * 2);
        long row = at + (j >> 5) * 64 + (j & 31);
        store(h.and(ONES).lanewise(LSHL, 4).or(q.and(15 * ONES)), row);
        LongVector high = q.lanewise(LSHR, 4).and(15 * ONES);
        store(h.and(2 * ONES).lanewise(LSHL, 3).or(high), row + 32);
      }
    }
  }

  /// Of a block of Q4_K or Q5_K.
  private static void scales(long block, long scales, long minima, long scratch) {
    float d = f16(block);
    float m = -f16(block + 2);
    long at = scratch & BASE;
    ALL.set(LONG, at, VectorBlocks.scales(block + 4));
    ALL.set(LONG, at + 8, VectorBlocks.mins(block + 4));
    for (int j = 0; j < 8; j += COUNT) {
      store(toFloat(bytes(at + j)).mul(d), scales + 4 * j);
      store(toFloat(bytes(at + 8 + j)).mul(m), minima + 4 * j);
    }
  }

  /// Kernels of their own: in one, there would be more operations than the compiler takes.
  static void q6k(long from, int blocks, long to, long scales) {
    q6kScales(from, blocks, scales);
    q6kLow(from, blocks, to);
    q6kHigh(from, blocks, to);
  }

  private static void q6kScales(long from, int blocks, long scales) {
    for (int b = 0; b < blocks; b++) {
      long block = from + 210L * b & BASE;
      float d = f16(block + 208);
      for (int j = 0; j < 16; j += COUNT) {
        store(toFloat(bytes(block + 192 + j)).mul(d), scales + 64L * b + 4 * j);
      }
    }
  }

  /// What has its lowest bits in the low halves of bytes: the first 64 of each 128. Bytes of which
  /// the highest bit is set, less 32, take nothing from the next one.
  private static void q6kLow(long from, int blocks, long to) {
    for (int b = 0; b < blocks; b++) {
      long block = from + 210L * b & BASE;
      long at = to + 256L * b & BASE;
      for (int j = 0; j < 64; j += LONG_BYTES) {
        LongVector q = longs(block + (j & 32) * 2 + (j & 31));
        LongVector r = longs(block + 32 + (j & 32) * 2 + (j & 31));
        LongVector h = longs(block + 128 + j);
        long row = at + (j & 32) * 4 + (j & 31);
        LongVector low = h.and(3 * ONES).lanewise(LSHL, 4).or(q.and(15 * ONES));
        store(low.or(TOPS).sub(32 * ONES).lanewise(XOR, TOPS), row);
        LongVector high = h.and(12 * ONES).lanewise(LSHL, 2).or(r.and(15 * ONES));
        store(high.or(TOPS).sub(32 * ONES).lanewise(XOR, TOPS), row + 32);
      }
    }
  }

  private static void q6kHigh(long from, int blocks, long to) {
    for (int b = 0; b < blocks; b++) {
      long block = from + 210L * b & BASE;
      long at = to + 64 + 256L * b & BASE;
      for (int j = 0; j < 64; j += LONG_BYTES) {
        LongVector q = longs(block + (j & 32) * 2 + (j & 31)).lanewise(LSHR, 4);
        LongVector r = longs(block + 32 + (j & 32) * 2 + (j & 31)).lanewise(LSHR, 4);
        LongVector h = longs(block + 128 + j);
        long row = at + (j & 32) * 4 + (j & 31);
        LongVector low = h.and(48 * ONES).or(q.and(15 * ONES));
        store(low.or(TOPS).sub(32 * ONES).lanewise(XOR, TOPS), row);
        LongVector high = h.lanewise(LSHR, 2).and(48 * ONES).or(r.and(15 * ONES));
        store(high.or(TOPS).sub(32 * ONES).lanewise(XOR, TOPS), row + 32);
      }
    }
  }
}
