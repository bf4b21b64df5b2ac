package io.gatun.tensor.kernel;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.Elements.SHORT;
import static io.gatun.tensor.kernel.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.Lanes.ORDER;
import static io.gatun.tensor.kernel.Lanes.WORDS;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/// Sums of 4-bit weights times integers, of groups of 32 columns.
///
/// A word holds four weights of one row as w + 8. All arithmetic is modulo 2^16 and starts at `-8 *
/// sum of the activations`, so the true sum of 32 products remains, at most 32 * 8 * 127 = 32512.
/// [QuantizedRows] tells how the masks are saved.
///
/// The methods keep all their vectors in locals, call no others, and stay short: C1 gives up on a
/// method that inlines more than about a hundred vector operations, and it is then interpreted for
/// long; C2 stops inlining at a number of nodes, and vectors that reach a call are boxed.
final class TiledInt4 {
  private static final int BYTES = TiledProduct.VECTOR_BYTES;
  private static final int SUMS_BYTES = TiledProduct.SUMS_BYTES;

  private TiledInt4() {}

  /// Four vectors of rows times one row of activations, each of which is broadcast once.
  ///
  /// @param w0 address of the first vector of words, as are w1, w2 and w3
  /// @param shift, bytes group g is `(g >> shift) * bytes + (g & (1 << shift) - 1) * 512` behind
  /// @param x address of the activations' blocks
  /// @param t address of the sums, for each group four times two vectors: of even and of odd lanes
  static void oneRow(
      long w0, long w1, long w2, long w3, int shift, int bytes, long x, int groups, long t) {
    int mask = (1 << shift) - 1;
    for (int g = 0; g < groups; g++, x += QuantizedRows.BLOCK_BYTES) {
      long words = (g >> shift) * bytes + (g & mask) * 512;
      short start = ALL.get(SHORT, (x & IN_BOUNDS) + QuantizedRows.MINUS_8_SUM);
      ShortVector s0 = ShortVector.broadcast(WORDS, start);
      ShortVector s1 = ShortVector.broadcast(WORDS, start);
      ShortVector s2 = ShortVector.broadcast(WORDS, start);
      ShortVector s3 = ShortVector.broadcast(WORDS, start);
      for (long at = x; at != x + 64; at += 8, words += 64) {
        long a = at & IN_BOUNDS;
        ShortVector b0 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a));
        ShortVector b1 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a + 2));
        ShortVector b2 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a + 4));
        ShortVector b3 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a + 6));
        ShortVector v0 = ShortVector.fromMemorySegment(WORDS, ALL, w0 + words & IN_BOUNDS, ORDER);
        s0 =
            s0.add(v0.mul(b0))
                .add(v0.lanewise(LSHR, 4).mul(b1))
                .add(v0.lanewise(LSHR, 8).mul(b2))
                .add(v0.lanewise(LSHR, 12).mul(b3));
        ShortVector v1 = ShortVector.fromMemorySegment(WORDS, ALL, w1 + words & IN_BOUNDS, ORDER);
        s1 =
            s1.add(v1.mul(b0))
                .add(v1.lanewise(LSHR, 4).mul(b1))
                .add(v1.lanewise(LSHR, 8).mul(b2))
                .add(v1.lanewise(LSHR, 12).mul(b3));
        ShortVector v2 = ShortVector.fromMemorySegment(WORDS, ALL, w2 + words & IN_BOUNDS, ORDER);
        s2 =
            s2.add(v2.mul(b0))
                .add(v2.lanewise(LSHR, 4).mul(b1))
                .add(v2.lanewise(LSHR, 8).mul(b2))
                .add(v2.lanewise(LSHR, 12).mul(b3));
        ShortVector v3 = ShortVector.fromMemorySegment(WORDS, ALL, w3 + words & IN_BOUNDS, ORDER);
        s3 =
            s3.add(v3.mul(b0))
                .add(v3.lanewise(LSHR, 4).mul(b1))
                .add(v3.lanewise(LSHR, 8).mul(b2))
                .add(v3.lanewise(LSHR, 12).mul(b3));
      }
      long to = t + g * SUMS_BYTES & IN_BOUNDS;
      IntVector i0 = s0.reinterpretAsInts();
      i0.lanewise(LSHL, 16).lanewise(ASHR, 16).intoMemorySegment(ALL, to + 0 * BYTES, ORDER);
      i0.lanewise(ASHR, 16).intoMemorySegment(ALL, to + 1 * BYTES, ORDER);
      IntVector i1 = s1.reinterpretAsInts();
      i1.lanewise(LSHL, 16).lanewise(ASHR, 16).intoMemorySegment(ALL, to + 2 * BYTES, ORDER);
      i1.lanewise(ASHR, 16).intoMemorySegment(ALL, to + 3 * BYTES, ORDER);
      IntVector i2 = s2.reinterpretAsInts();
      i2.lanewise(LSHL, 16).lanewise(ASHR, 16).intoMemorySegment(ALL, to + 4 * BYTES, ORDER);
      i2.lanewise(ASHR, 16).intoMemorySegment(ALL, to + 5 * BYTES, ORDER);
      IntVector i3 = s3.reinterpretAsInts();
      i3.lanewise(LSHL, 16).lanewise(ASHR, 16).intoMemorySegment(ALL, to + 6 * BYTES, ORDER);
      i3.lanewise(ASHR, 16).intoMemorySegment(ALL, to + 7 * BYTES, ORDER);
    }
  }

  /// Two vectors of rows times two rows of activations; otherwise as [#oneRow]. The sums are of the
  /// first vector and each row, then of the second.
  static void twoRows(
      long w0, long w1, int shift, int bytes, long x0, long x1, int groups, long t) {
    int mask = (1 << shift) - 1;
    for (int g = 0; g < groups; g++) {
      long words = (g >> shift) * bytes + (g & mask) * 512;
      short start0 = ALL.get(SHORT, (x0 & IN_BOUNDS) + QuantizedRows.MINUS_8_SUM);
      short start1 = ALL.get(SHORT, (x1 & IN_BOUNDS) + QuantizedRows.MINUS_8_SUM);
      ShortVector s00 = ShortVector.broadcast(WORDS, start0);
      ShortVector s01 = ShortVector.broadcast(WORDS, start1);
      ShortVector s10 = ShortVector.broadcast(WORDS, start0);
      ShortVector s11 = ShortVector.broadcast(WORDS, start1);
      for (long at = 0; at != 64; at += 8, words += 64) {
        long a0 = x0 + at & IN_BOUNDS;
        long a1 = x1 + at & IN_BOUNDS;
        ShortVector v0 = ShortVector.fromMemorySegment(WORDS, ALL, w0 + words & IN_BOUNDS, ORDER);
        ShortVector v1 = ShortVector.fromMemorySegment(WORDS, ALL, w1 + words & IN_BOUNDS, ORDER);
        ShortVector b00 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a0));
        ShortVector b10 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a1));
        s00 = s00.add(v0.mul(b00));
        s01 = s01.add(v0.mul(b10));
        s10 = s10.add(v1.mul(b00));
        s11 = s11.add(v1.mul(b10));
        v0 = v0.lanewise(LSHR, 4);
        v1 = v1.lanewise(LSHR, 4);
        ShortVector b01 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a0 + 2));
        ShortVector b11 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a1 + 2));
        s00 = s00.add(v0.mul(b01));
        s01 = s01.add(v0.mul(b11));
        s10 = s10.add(v1.mul(b01));
        s11 = s11.add(v1.mul(b11));
        v0 = v0.lanewise(LSHR, 4);
        v1 = v1.lanewise(LSHR, 4);
        ShortVector b02 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a0 + 4));
        ShortVector b12 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a1 + 4));
        s00 = s00.add(v0.mul(b02));
        s01 = s01.add(v0.mul(b12));
        s10 = s10.add(v1.mul(b02));
        s11 = s11.add(v1.mul(b12));
        v0 = v0.lanewise(LSHR, 4);
        v1 = v1.lanewise(LSHR, 4);
        ShortVector b03 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a0 + 6));
        ShortVector b13 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a1 + 6));
        s00 = s00.add(v0.mul(b03));
        s01 = s01.add(v0.mul(b13));
        s10 = s10.add(v1.mul(b03));
        s11 = s11.add(v1.mul(b13));
      }
      long to = t + g * SUMS_BYTES & IN_BOUNDS;
      IntVector i0 = s00.reinterpretAsInts();
      i0.lanewise(LSHL, 16).lanewise(ASHR, 16).intoMemorySegment(ALL, to + 0 * BYTES, ORDER);
      i0.lanewise(ASHR, 16).intoMemorySegment(ALL, to + 1 * BYTES, ORDER);
      IntVector i1 = s01.reinterpretAsInts();
      i1.lanewise(LSHL, 16).lanewise(ASHR, 16).intoMemorySegment(ALL, to + 2 * BYTES, ORDER);
      i1.lanewise(ASHR, 16).intoMemorySegment(ALL, to + 3 * BYTES, ORDER);
      IntVector i2 = s10.reinterpretAsInts();
      i2.lanewise(LSHL, 16).lanewise(ASHR, 16).intoMemorySegment(ALL, to + 4 * BYTES, ORDER);
      i2.lanewise(ASHR, 16).intoMemorySegment(ALL, to + 5 * BYTES, ORDER);
      IntVector i3 = s11.reinterpretAsInts();
      i3.lanewise(LSHL, 16).lanewise(ASHR, 16).intoMemorySegment(ALL, to + 6 * BYTES, ORDER);
      i3.lanewise(ASHR, 16).intoMemorySegment(ALL, to + 7 * BYTES, ORDER);
      x0 += QuantizedRows.BLOCK_BYTES;
      x1 += QuantizedRows.BLOCK_BYTES;
    }
  }
}
