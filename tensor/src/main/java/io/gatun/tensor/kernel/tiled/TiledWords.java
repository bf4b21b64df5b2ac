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
/// All do the same arithmetic for a row of activations, however many rows there are. Words are
/// shifted by vectors: C2 moves a number to a vector register at each shift of 16-bit lanes.
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
  /// @param x address of the first activations' block
  /// @param step bytes from a group's to the next one's
  /// @param from, to the groups
  /// @param s address of the sums: a vector of words for each group
  static void int4(long w, Groups at, long x, int step, int from, int to, long s) {
    int shift = at.shift;
    int mask = at.mask();
    int tile = at.tile;
    int group = at.group;
    for (int g = from; g < to; g++) {
      long words = w + (long) (g >> shift) * tile + (g & mask) * group;
      long a = x + (long) g * step & IN_BOUNDS;
      ShortVector s0 =
          IntVector.broadcast(INTS, ALL.get(INT, a + MINUS_8_SUM)).reinterpretAsShorts();
      for (int q = 0; q < 8; q++) {
        ShortVector v =
            ShortVector.fromMemorySegment(WORDS, ALL, words + q * 64 & IN_BOUNDS, ORDER);
        long b = a + q * 16;
        for (int i = 0; i < 4; i++) {
          ShortVector n = v.lanewise(LSHR, ShortVector.broadcast(WORDS, 4 * i));
          long c = b + 4 * i & IN_BOUNDS;
          s0 = n.mul(IntVector.broadcast(INTS, ALL.get(INT, c)).reinterpretAsShorts()).add(s0);
        }
      }
      long sums = s + (long) (g - from) * 1 * VECTOR_BYTES & IN_BOUNDS;
      s0.intoMemorySegment(ALL, sums, ORDER);
    }
  }

  /// As [#int4], of two rows of activations, whose sums lie side by side for each group.
  static void int4x2(long w, Groups at, long x, int step, int from, int to, long s) {
    int shift = at.shift;
    int mask = at.mask();
    int tile = at.tile;
    int group = at.group;
    for (int g = from; g < to; g++) {
      long words = w + (long) (g >> shift) * tile + (g & mask) * group;
      long a = x + (long) g * step & IN_BOUNDS;
      ShortVector s0 =
          IntVector.broadcast(INTS, ALL.get(INT, a + MINUS_8_SUM)).reinterpretAsShorts();
      ShortVector s1 =
          IntVector.broadcast(INTS, ALL.get(INT, a + BLOCK_BYTES + MINUS_8_SUM))
              .reinterpretAsShorts();
      for (int q = 0; q < 8; q++) {
        ShortVector v =
            ShortVector.fromMemorySegment(WORDS, ALL, words + q * 64 & IN_BOUNDS, ORDER);
        long b = a + q * 16;
        for (int i = 0; i < 4; i++) {
          ShortVector n = v.lanewise(LSHR, ShortVector.broadcast(WORDS, 4 * i));
          long c = b + 4 * i & IN_BOUNDS;
          s0 = n.mul(IntVector.broadcast(INTS, ALL.get(INT, c)).reinterpretAsShorts()).add(s0);
          s1 =
              n.mul(IntVector.broadcast(INTS, ALL.get(INT, c + BLOCK_BYTES)).reinterpretAsShorts())
                  .add(s1);
        }
      }
      long sums = s + (long) (g - from) * 2 * VECTOR_BYTES & IN_BOUNDS;
      s0.intoMemorySegment(ALL, sums, ORDER);
      s1.intoMemorySegment(ALL, sums + VECTOR_BYTES, ORDER);
    }
  }

  /// As [#int4x2], of four rows of activations.
  static void int4x4(long w, Groups at, long x, int step, int from, int to, long s) {
    int shift = at.shift;
    int mask = at.mask();
    int tile = at.tile;
    int group = at.group;
    for (int g = from; g < to; g++) {
      long words = w + (long) (g >> shift) * tile + (g & mask) * group;
      long a = x + (long) g * step & IN_BOUNDS;
      ShortVector s0 =
          IntVector.broadcast(INTS, ALL.get(INT, a + MINUS_8_SUM)).reinterpretAsShorts();
      ShortVector s1 =
          IntVector.broadcast(INTS, ALL.get(INT, a + BLOCK_BYTES + MINUS_8_SUM))
              .reinterpretAsShorts();
      ShortVector s2 =
          IntVector.broadcast(INTS, ALL.get(INT, a + 2 * BLOCK_BYTES + MINUS_8_SUM))
              .reinterpretAsShorts();
      ShortVector s3 =
          IntVector.broadcast(INTS, ALL.get(INT, a + 3 * BLOCK_BYTES + MINUS_8_SUM))
              .reinterpretAsShorts();
      for (int q = 0; q < 8; q++) {
        ShortVector v =
            ShortVector.fromMemorySegment(WORDS, ALL, words + q * 64 & IN_BOUNDS, ORDER);
        long b = a + q * 16;
        for (int i = 0; i < 4; i++) {
          ShortVector n = v.lanewise(LSHR, ShortVector.broadcast(WORDS, 4 * i));
          long c = b + 4 * i & IN_BOUNDS;
          s0 = n.mul(IntVector.broadcast(INTS, ALL.get(INT, c)).reinterpretAsShorts()).add(s0);
          s1 =
              n.mul(IntVector.broadcast(INTS, ALL.get(INT, c + BLOCK_BYTES)).reinterpretAsShorts())
                  .add(s1);
          s2 =
              n.mul(
                      IntVector.broadcast(INTS, ALL.get(INT, c + 2 * BLOCK_BYTES))
                          .reinterpretAsShorts())
                  .add(s2);
          s3 =
              n.mul(
                      IntVector.broadcast(INTS, ALL.get(INT, c + 3 * BLOCK_BYTES))
                          .reinterpretAsShorts())
                  .add(s3);
        }
      }
      long sums = s + (long) (g - from) * 4 * VECTOR_BYTES & IN_BOUNDS;
      s0.intoMemorySegment(ALL, sums, ORDER);
      s1.intoMemorySegment(ALL, sums + VECTOR_BYTES, ORDER);
      s2.intoMemorySegment(ALL, sums + 2 * VECTOR_BYTES, ORDER);
      s3.intoMemorySegment(ALL, sums + 3 * VECTOR_BYTES, ORDER);
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
  static void int8(long w, Groups at, long x, int step, int from, int to, long s) {
    int shift = at.shift;
    int mask = at.mask();
    int tile = at.tile;
    int group = at.group;
    ShortVector bias = IntVector.broadcast(INTS, 1 << 15).reinterpretAsShorts();
    for (int g = from; g < to; g++) {
      long words = w + (long) (g >> shift) * tile + (g & mask) * group;
      long a = x + (long) g * step & IN_BOUNDS;
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

  /// As [#int8], of two rows of activations, whose sums lie side by side for each group.
  static void int8x2(long w, Groups at, long x, int step, int from, int to, long s) {
    int shift = at.shift;
    int mask = at.mask();
    int tile = at.tile;
    int group = at.group;
    ShortVector bias = IntVector.broadcast(INTS, 1 << 15).reinterpretAsShorts();
    for (int g = from; g < to; g++) {
      long words = w + (long) (g >> shift) * tile + (g & mask) * group;
      long a = x + (long) g * step & IN_BOUNDS;
      IntVector all0 = IntVector.zero(INTS);
      IntVector high0 = IntVector.zero(INTS);
      IntVector all1 = IntVector.zero(INTS);
      IntVector high1 = IntVector.zero(INTS);
      for (int p = 0; p < 16; p++) {
        ShortVector v =
            ShortVector.fromMemorySegment(WORDS, ALL, words + p * 64 & IN_BOUNDS, ORDER);
        ShortVector l = v.lanewise(LSHL, 8).lanewise(ASHR, 8);
        ShortVector h = v.lanewise(ASHR, 8);
        long b = a + p * 8 & IN_BOUNDS;
        ShortVector b00 = IntVector.broadcast(INTS, ALL.get(INT, b)).reinterpretAsShorts();
        ShortVector b01 = IntVector.broadcast(INTS, ALL.get(INT, b + 4)).reinterpretAsShorts();
        IntVector pair0 = l.mul(b00).add(h.mul(b01)).add(bias).reinterpretAsInts();
        all0 = pair0.add(all0);
        high0 = pair0.lanewise(ASHR, 16).add(high0);
        ShortVector b10 =
            IntVector.broadcast(INTS, ALL.get(INT, b + BLOCK_BYTES)).reinterpretAsShorts();
        ShortVector b11 =
            IntVector.broadcast(INTS, ALL.get(INT, b + BLOCK_BYTES + 4)).reinterpretAsShorts();
        IntVector pair1 = l.mul(b10).add(h.mul(b11)).add(bias).reinterpretAsInts();
        all1 = pair1.add(all1);
        high1 = pair1.lanewise(ASHR, 16).add(high1);
      }
      long sums = s + 4L * (g - from) * VECTOR_BYTES & IN_BOUNDS;
      all0.sub(high0.lanewise(LSHL, 16)).sub(BIASES).intoMemorySegment(ALL, sums, ORDER);
      high0.intoMemorySegment(ALL, sums + VECTOR_BYTES, ORDER);
      all1.sub(high1.lanewise(LSHL, 16))
          .sub(BIASES)
          .intoMemorySegment(ALL, sums + 2 * VECTOR_BYTES, ORDER);
      high1.intoMemorySegment(ALL, sums + 3 * VECTOR_BYTES, ORDER);
    }
  }
}
