package io.gatun.tensor.kernel.tiled;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.Lanes.INTS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.ORDER;
import static io.gatun.tensor.kernel.dense.Lanes.WORDS;
import static io.gatun.tensor.kernel.scalar.Floats.INT;
import static io.gatun.tensor.kernel.tiled.QuantizedRows.BLOCK_BYTES;
import static io.gatun.tensor.kernel.tiled.QuantizedRows.MINUS_8_SUM;
import static io.gatun.tensor.kernel.tiled.TiledProduct.VECTOR_BYTES;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/// Sums of a vector of weight rows with rows of quantized activations, group by group, before any
/// scale: [TiledScales] makes the products of them.
///
/// These are root kernels, which call nothing but the JDK's vectors. C2 inlines many of the calls
/// only after it has parsed the rest, so a sum that a loop carries is never the receiver of one.
/// All do the same arithmetic for a row of activations, however many rows there are.
///
/// @see Groups
final class TiledWords {
  /// What 16 times 2^15 make, from 16 words a group.
  private static final int BIASES = 16 << 15;

  private TiledWords() {}

  /// Where groups are: group g's words are `(g >> shift) * tile + (g & (1 << shift) - 1) * group`
  /// bytes behind the first ones.
  record Groups(int shift, int tile, int group) {
    int mask() {
      return (1 << shift) - 1;
    }
  }

  /// Four-bit weights and one row of activations.
  ///
  /// A word holds four weights of one row as w + 8. All arithmetic is modulo 2^16 and starts at `-8
  /// * sum of the activations`, so the true sum of a group's 32 products remains, at most 32 * 8 *
  ///   127 = 32512. [QuantizedRows] tells how the masks are saved.
  ///
  /// @param w address of the vector's words of group 0
  /// @param x address of the activations' blocks
  /// @param from, to the groups
  /// @param s address of the sums: a vector of words for each group
  static void int4(long w, Groups at, long x, int from, int to, long s) {
    int shift = at.shift;
    int mask = at.mask();
    int tile = at.tile;
    int group = at.group;
    for (int g = from; g < to; g++) {
      long words = w + (long) (g >> shift) * tile + (g & mask) * group;
      long a = x + (long) g * BLOCK_BYTES & IN_BOUNDS;
      ShortVector sum =
          IntVector.broadcast(INTS, ALL.get(INT, a + MINUS_8_SUM)).reinterpretAsShorts();
      for (int q = 0; q < 8; q++) {
        long b = a + q * 16 & IN_BOUNDS;
        ShortVector v =
            ShortVector.fromMemorySegment(WORDS, ALL, words + q * 64 & IN_BOUNDS, ORDER);
        ShortVector b0 = IntVector.broadcast(INTS, ALL.get(INT, b)).reinterpretAsShorts();
        ShortVector b1 = IntVector.broadcast(INTS, ALL.get(INT, b + 4)).reinterpretAsShorts();
        ShortVector b2 = IntVector.broadcast(INTS, ALL.get(INT, b + 8)).reinterpretAsShorts();
        ShortVector b3 = IntVector.broadcast(INTS, ALL.get(INT, b + 12)).reinterpretAsShorts();
        ShortVector low = v.mul(b0).add(v.lanewise(LSHR, 4).mul(b1));
        ShortVector high = v.lanewise(LSHR, 8).mul(b2).add(v.lanewise(LSHR, 12).mul(b3));
        sum = low.add(high).add(sum);
      }
      sum.intoMemorySegment(ALL, s + (long) (g - from) * VECTOR_BYTES & IN_BOUNDS, ORDER);
    }
  }

  /// As [#int4], of two rows of activations.
  ///
  /// @param xStride, sStride bytes from the first row's to the next
  static void int4x2(
      long w, Groups at, long x, long xStride, int from, int to, long s, long sStride) {
    int shift = at.shift;
    int mask = at.mask();
    int tile = at.tile;
    int group = at.group;
    for (int g = from; g < to; g++) {
      long words = w + (long) (g >> shift) * tile + (g & mask) * group;
      long a0 = x + (long) g * BLOCK_BYTES & IN_BOUNDS;
      long a1 = a0 + xStride & IN_BOUNDS;
      ShortVector s0 =
          IntVector.broadcast(INTS, ALL.get(INT, a0 + MINUS_8_SUM)).reinterpretAsShorts();
      ShortVector s1 =
          IntVector.broadcast(INTS, ALL.get(INT, a1 + MINUS_8_SUM)).reinterpretAsShorts();
      for (int q = 0; q < 8; q++) {
        ShortVector v =
            ShortVector.fromMemorySegment(WORDS, ALL, words + q * 64 & IN_BOUNDS, ORDER);
        long b0 = a0 + q * 16 & IN_BOUNDS;
        long b1 = a1 + q * 16 & IN_BOUNDS;
        s0 = v.mul(IntVector.broadcast(INTS, ALL.get(INT, b0)).reinterpretAsShorts()).add(s0);
        s1 = v.mul(IntVector.broadcast(INTS, ALL.get(INT, b1)).reinterpretAsShorts()).add(s1);
        ShortVector v1 = v.lanewise(LSHR, 4);
        s0 = v1.mul(IntVector.broadcast(INTS, ALL.get(INT, b0 + 4)).reinterpretAsShorts()).add(s0);
        s1 = v1.mul(IntVector.broadcast(INTS, ALL.get(INT, b1 + 4)).reinterpretAsShorts()).add(s1);
        ShortVector v2 = v.lanewise(LSHR, 8);
        s0 = v2.mul(IntVector.broadcast(INTS, ALL.get(INT, b0 + 8)).reinterpretAsShorts()).add(s0);
        s1 = v2.mul(IntVector.broadcast(INTS, ALL.get(INT, b1 + 8)).reinterpretAsShorts()).add(s1);
        ShortVector v3 = v.lanewise(LSHR, 12);
        s0 = v3.mul(IntVector.broadcast(INTS, ALL.get(INT, b0 + 12)).reinterpretAsShorts()).add(s0);
        s1 = v3.mul(IntVector.broadcast(INTS, ALL.get(INT, b1 + 12)).reinterpretAsShorts()).add(s1);
      }
      long sums = s + (long) (g - from) * VECTOR_BYTES;
      s0.intoMemorySegment(ALL, sums & IN_BOUNDS, ORDER);
      s1.intoMemorySegment(ALL, sums + sStride & IN_BOUNDS, ORDER);
    }
  }

  /// As [#int4x2], of four rows of activations.
  static void int4x4(
      long w, Groups at, long x, long xStride, int from, int to, long s, long sStride) {
    int shift = at.shift;
    int mask = at.mask();
    int tile = at.tile;
    int group = at.group;
    for (int g = from; g < to; g++) {
      long words = w + (long) (g >> shift) * tile + (g & mask) * group;
      long a0 = x + (long) g * BLOCK_BYTES & IN_BOUNDS;
      long a1 = a0 + xStride & IN_BOUNDS;
      long a2 = a1 + xStride & IN_BOUNDS;
      long a3 = a2 + xStride & IN_BOUNDS;
      ShortVector s0 =
          IntVector.broadcast(INTS, ALL.get(INT, a0 + MINUS_8_SUM)).reinterpretAsShorts();
      ShortVector s1 =
          IntVector.broadcast(INTS, ALL.get(INT, a1 + MINUS_8_SUM)).reinterpretAsShorts();
      ShortVector s2 =
          IntVector.broadcast(INTS, ALL.get(INT, a2 + MINUS_8_SUM)).reinterpretAsShorts();
      ShortVector s3 =
          IntVector.broadcast(INTS, ALL.get(INT, a3 + MINUS_8_SUM)).reinterpretAsShorts();
      for (int q = 0; q < 8; q++) {
        ShortVector v =
            ShortVector.fromMemorySegment(WORDS, ALL, words + q * 64 & IN_BOUNDS, ORDER);
        long b0 = a0 + q * 16 & IN_BOUNDS;
        long b1 = a1 + q * 16 & IN_BOUNDS;
        long b2 = a2 + q * 16 & IN_BOUNDS;
        long b3 = a3 + q * 16 & IN_BOUNDS;
        s0 = v.mul(IntVector.broadcast(INTS, ALL.get(INT, b0)).reinterpretAsShorts()).add(s0);
        s1 = v.mul(IntVector.broadcast(INTS, ALL.get(INT, b1)).reinterpretAsShorts()).add(s1);
        s2 = v.mul(IntVector.broadcast(INTS, ALL.get(INT, b2)).reinterpretAsShorts()).add(s2);
        s3 = v.mul(IntVector.broadcast(INTS, ALL.get(INT, b3)).reinterpretAsShorts()).add(s3);
        ShortVector v1 = v.lanewise(LSHR, 4);
        s0 = v1.mul(IntVector.broadcast(INTS, ALL.get(INT, b0 + 4)).reinterpretAsShorts()).add(s0);
        s1 = v1.mul(IntVector.broadcast(INTS, ALL.get(INT, b1 + 4)).reinterpretAsShorts()).add(s1);
        s2 = v1.mul(IntVector.broadcast(INTS, ALL.get(INT, b2 + 4)).reinterpretAsShorts()).add(s2);
        s3 = v1.mul(IntVector.broadcast(INTS, ALL.get(INT, b3 + 4)).reinterpretAsShorts()).add(s3);
        ShortVector v2 = v.lanewise(LSHR, 8);
        s0 = v2.mul(IntVector.broadcast(INTS, ALL.get(INT, b0 + 8)).reinterpretAsShorts()).add(s0);
        s1 = v2.mul(IntVector.broadcast(INTS, ALL.get(INT, b1 + 8)).reinterpretAsShorts()).add(s1);
        s2 = v2.mul(IntVector.broadcast(INTS, ALL.get(INT, b2 + 8)).reinterpretAsShorts()).add(s2);
        s3 = v2.mul(IntVector.broadcast(INTS, ALL.get(INT, b3 + 8)).reinterpretAsShorts()).add(s3);
        ShortVector v3 = v.lanewise(LSHR, 12);
        s0 = v3.mul(IntVector.broadcast(INTS, ALL.get(INT, b0 + 12)).reinterpretAsShorts()).add(s0);
        s1 = v3.mul(IntVector.broadcast(INTS, ALL.get(INT, b1 + 12)).reinterpretAsShorts()).add(s1);
        s2 = v3.mul(IntVector.broadcast(INTS, ALL.get(INT, b2 + 12)).reinterpretAsShorts()).add(s2);
        s3 = v3.mul(IntVector.broadcast(INTS, ALL.get(INT, b3 + 12)).reinterpretAsShorts()).add(s3);
      }
      long sums = s + (long) (g - from) * VECTOR_BYTES;
      s0.intoMemorySegment(ALL, sums & IN_BOUNDS, ORDER);
      s1.intoMemorySegment(ALL, sums + sStride & IN_BOUNDS, ORDER);
      s2.intoMemorySegment(ALL, sums + 2 * sStride & IN_BOUNDS, ORDER);
      s3.intoMemorySegment(ALL, sums + 3 * sStride & IN_BOUNDS, ORDER);
    }
  }

  /// Eight-bit weights and one row of activations.
  ///
  /// A word holds two weights of one row, so that two products of at most 127 * 127 fit its lane.
  /// Even and odd lanes are then added as 32-bit integers: with 2^15 added to the even one, a pair
  /// of lanes is the integer `2^16 odd + even + 2^15`, of which the sum and the sum of the upper
  /// halves are taken.
  ///
  /// @param s address of the sums: for each group a vector of integers for even lanes, and one for
  ///   odd lanes
  static void int8(long w, Groups at, long x, int from, int to, long s) {
    int shift = at.shift;
    int mask = at.mask();
    int tile = at.tile;
    int group = at.group;
    ShortVector bias = IntVector.broadcast(INTS, 1 << 15).reinterpretAsShorts();
    for (int g = from; g < to; g++) {
      long words = w + (long) (g >> shift) * tile + (g & mask) * group;
      long a = x + (long) g * BLOCK_BYTES & IN_BOUNDS;
      IntVector all = IntVector.zero(INTS);
      IntVector high = IntVector.zero(INTS);
      for (int p = 0; p < 16; p++) {
        ShortVector v =
            ShortVector.fromMemorySegment(WORDS, ALL, words + p * 64 & IN_BOUNDS, ORDER);
        ShortVector l = v.lanewise(LSHL, 8).lanewise(ASHR, 8);
        ShortVector h = v.lanewise(ASHR, 8);
        long b = a + p * 8 & IN_BOUNDS;
        ShortVector b0 = IntVector.broadcast(INTS, ALL.get(INT, b)).reinterpretAsShorts();
        ShortVector b1 = IntVector.broadcast(INTS, ALL.get(INT, b + 4)).reinterpretAsShorts();
        IntVector pair = l.mul(b0).add(h.mul(b1)).add(bias).reinterpretAsInts();
        all = pair.add(all);
        high = pair.lanewise(ASHR, 16).add(high);
      }
      long sums = s + 2L * (g - from) * VECTOR_BYTES;
      all.sub(high.lanewise(LSHL, 16)).sub(BIASES).intoMemorySegment(ALL, sums & IN_BOUNDS, ORDER);
      high.intoMemorySegment(ALL, sums + VECTOR_BYTES & IN_BOUNDS, ORDER);
    }
  }

  /// As [#int8], of two rows of activations.
  ///
  /// @param xStride, sStride bytes from the first row's to the next
  static void int8x2(
      long w, Groups at, long x, long xStride, int from, int to, long s, long sStride) {
    int shift = at.shift;
    int mask = at.mask();
    int tile = at.tile;
    int group = at.group;
    ShortVector bias = IntVector.broadcast(INTS, 1 << 15).reinterpretAsShorts();
    for (int g = from; g < to; g++) {
      long words = w + (long) (g >> shift) * tile + (g & mask) * group;
      long a0 = x + (long) g * BLOCK_BYTES & IN_BOUNDS;
      long a1 = a0 + xStride & IN_BOUNDS;
      IntVector all0 = IntVector.zero(INTS);
      IntVector high0 = IntVector.zero(INTS);
      IntVector all1 = IntVector.zero(INTS);
      IntVector high1 = IntVector.zero(INTS);
      for (int p = 0; p < 16; p++) {
        ShortVector v =
            ShortVector.fromMemorySegment(WORDS, ALL, words + p * 64 & IN_BOUNDS, ORDER);
        ShortVector l = v.lanewise(LSHL, 8).lanewise(ASHR, 8);
        ShortVector h = v.lanewise(ASHR, 8);
        long b0 = a0 + p * 8 & IN_BOUNDS;
        long b1 = a1 + p * 8 & IN_BOUNDS;
        ShortVector b00 = IntVector.broadcast(INTS, ALL.get(INT, b0)).reinterpretAsShorts();
        ShortVector b01 = IntVector.broadcast(INTS, ALL.get(INT, b0 + 4)).reinterpretAsShorts();
        IntVector pair0 = l.mul(b00).add(h.mul(b01)).add(bias).reinterpretAsInts();
        all0 = pair0.add(all0);
        high0 = pair0.lanewise(ASHR, 16).add(high0);
        ShortVector b10 = IntVector.broadcast(INTS, ALL.get(INT, b1)).reinterpretAsShorts();
        ShortVector b11 = IntVector.broadcast(INTS, ALL.get(INT, b1 + 4)).reinterpretAsShorts();
        IntVector pair1 = l.mul(b10).add(h.mul(b11)).add(bias).reinterpretAsInts();
        all1 = pair1.add(all1);
        high1 = pair1.lanewise(ASHR, 16).add(high1);
      }
      long sums = s + 2L * (g - from) * VECTOR_BYTES;
      all0.sub(high0.lanewise(LSHL, 16))
          .sub(BIASES)
          .intoMemorySegment(ALL, sums & IN_BOUNDS, ORDER);
      high0.intoMemorySegment(ALL, sums + VECTOR_BYTES & IN_BOUNDS, ORDER);
      all1.sub(high1.lanewise(LSHL, 16))
          .sub(BIASES)
          .intoMemorySegment(ALL, sums + sStride & IN_BOUNDS, ORDER);
      high1.intoMemorySegment(ALL, sums + sStride + VECTOR_BYTES & IN_BOUNDS, ORDER);
    }
  }
}
