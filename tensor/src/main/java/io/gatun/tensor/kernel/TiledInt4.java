package io.gatun.tensor.kernel;

import static io.gatun.ffm.RawMemory.ALL;
import static io.gatun.tensor.kernel.Elements.SHORT;
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
/// The methods hold all their vectors in locals and are kept short: C1 gives up on methods that
/// inline some hundred vector operations, and C2 then never gets its turn.
final class TiledInt4 {
  private static final int BYTES = TiledProduct.VECTOR_BYTES;
  private static final int SUMS_BYTES = TiledProduct.SUMS_BYTES;

  private TiledInt4() {}

  /// Four vectors of rows with the same activations, which are broadcast once.
  ///
  /// @param w0 address of the first vector of words, as are w1, w2 and w3
  /// @param shift, bytes group g is `(g >> shift) * bytes + (g & (1 << shift) - 1) * 512` behind
  /// @param x address of the activations' blocks
  /// @param t address of the sums, for each group four times two vectors: of even and of odd lanes
  static void fourVectors(
      long w0, long w1, long w2, long w3, int shift, int bytes, long x, int groups, long t) {
    int mask = (1 << shift) - 1;
    for (int g = 0; g < groups; g++, x += QuantizedRows.BLOCK_BYTES) {
      long words = (g >> shift) * bytes + (g & mask) * 512;
      ShortVector s0 = ShortVector.broadcast(WORDS, ALL.get(SHORT, x + QuantizedRows.MINUS_8_SUM));
      ShortVector s1 = ShortVector.broadcast(WORDS, ALL.get(SHORT, x + QuantizedRows.MINUS_8_SUM));
      ShortVector s2 = ShortVector.broadcast(WORDS, ALL.get(SHORT, x + QuantizedRows.MINUS_8_SUM));
      ShortVector s3 = ShortVector.broadcast(WORDS, ALL.get(SHORT, x + QuantizedRows.MINUS_8_SUM));
      for (int j = 0; j < 8; j++) {
        ShortVector b0 = ShortVector.broadcast(WORDS, ALL.get(SHORT, x + j * 8));
        ShortVector b1 = ShortVector.broadcast(WORDS, ALL.get(SHORT, x + j * 8 + 2));
        ShortVector b2 = ShortVector.broadcast(WORDS, ALL.get(SHORT, x + j * 8 + 4));
        ShortVector b3 = ShortVector.broadcast(WORDS, ALL.get(SHORT, x + j * 8 + 6));
        long at = words + j * 64;
        ShortVector v0 = ShortVector.fromMemorySegment(WORDS, ALL, w0 + at, ORDER);
        s0 =
            s0.add(v0.mul(b0))
                .add(v0.lanewise(LSHR, 4).mul(b1))
                .add(v0.lanewise(LSHR, 8).mul(b2))
                .add(v0.lanewise(LSHR, 12).mul(b3));
        ShortVector v1 = ShortVector.fromMemorySegment(WORDS, ALL, w1 + at, ORDER);
        s1 =
            s1.add(v1.mul(b0))
                .add(v1.lanewise(LSHR, 4).mul(b1))
                .add(v1.lanewise(LSHR, 8).mul(b2))
                .add(v1.lanewise(LSHR, 12).mul(b3));
        ShortVector v2 = ShortVector.fromMemorySegment(WORDS, ALL, w2 + at, ORDER);
        s2 =
            s2.add(v2.mul(b0))
                .add(v2.lanewise(LSHR, 4).mul(b1))
                .add(v2.lanewise(LSHR, 8).mul(b2))
                .add(v2.lanewise(LSHR, 12).mul(b3));
        ShortVector v3 = ShortVector.fromMemorySegment(WORDS, ALL, w3 + at, ORDER);
        s3 =
            s3.add(v3.mul(b0))
                .add(v3.lanewise(LSHR, 4).mul(b1))
                .add(v3.lanewise(LSHR, 8).mul(b2))
                .add(v3.lanewise(LSHR, 12).mul(b3));
      }
      IntVector i0 = s0.reinterpretAsInts();
      IntVector i1 = s1.reinterpretAsInts();
      IntVector i2 = s2.reinterpretAsInts();
      IntVector i3 = s3.reinterpretAsInts();
      long to = t + g * SUMS_BYTES;
      i0.lanewise(LSHL, 16).lanewise(ASHR, 16).intoMemorySegment(ALL, to + 0 * BYTES, ORDER);
      i0.lanewise(ASHR, 16).intoMemorySegment(ALL, to + 1 * BYTES, ORDER);
      i1.lanewise(LSHL, 16).lanewise(ASHR, 16).intoMemorySegment(ALL, to + 2 * BYTES, ORDER);
      i1.lanewise(ASHR, 16).intoMemorySegment(ALL, to + 3 * BYTES, ORDER);
      i2.lanewise(LSHL, 16).lanewise(ASHR, 16).intoMemorySegment(ALL, to + 4 * BYTES, ORDER);
      i2.lanewise(ASHR, 16).intoMemorySegment(ALL, to + 5 * BYTES, ORDER);
      i3.lanewise(LSHL, 16).lanewise(ASHR, 16).intoMemorySegment(ALL, to + 6 * BYTES, ORDER);
      i3.lanewise(ASHR, 16).intoMemorySegment(ALL, to + 7 * BYTES, ORDER);
    }
  }

  /// One vector of rows with four rows of activations, for which it is unpacked once; as above.
  static void fourRows(
      long w, int shift, int bytes, long x0, long x1, long x2, long x3, int groups, long t) {
    int mask = (1 << shift) - 1;
    for (int g = 0; g < groups; g++) {
      long x = g * QuantizedRows.BLOCK_BYTES;
      long words = w + (g >> shift) * bytes + (g & mask) * 512;
      ShortVector s0 =
          ShortVector.broadcast(WORDS, ALL.get(SHORT, x0 + x + QuantizedRows.MINUS_8_SUM));
      ShortVector s1 =
          ShortVector.broadcast(WORDS, ALL.get(SHORT, x1 + x + QuantizedRows.MINUS_8_SUM));
      ShortVector s2 =
          ShortVector.broadcast(WORDS, ALL.get(SHORT, x2 + x + QuantizedRows.MINUS_8_SUM));
      ShortVector s3 =
          ShortVector.broadcast(WORDS, ALL.get(SHORT, x3 + x + QuantizedRows.MINUS_8_SUM));
      for (int j = 0; j < 8; j++) {
        ShortVector v0 = ShortVector.fromMemorySegment(WORDS, ALL, words + j * 64, ORDER);
        ShortVector v1 = v0.lanewise(LSHR, 4);
        ShortVector v2 = v0.lanewise(LSHR, 8);
        ShortVector v3 = v0.lanewise(LSHR, 12);
        long at = x + j * 8;
        s0 =
            s0.add(v0.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x0 + at))))
                .add(v1.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x0 + at + 2))))
                .add(v2.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x0 + at + 4))))
                .add(v3.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x0 + at + 6))));
        s1 =
            s1.add(v0.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x1 + at))))
                .add(v1.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x1 + at + 2))))
                .add(v2.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x1 + at + 4))))
                .add(v3.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x1 + at + 6))));
        s2 =
            s2.add(v0.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x2 + at))))
                .add(v1.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x2 + at + 2))))
                .add(v2.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x2 + at + 4))))
                .add(v3.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x2 + at + 6))));
        s3 =
            s3.add(v0.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x3 + at))))
                .add(v1.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x3 + at + 2))))
                .add(v2.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x3 + at + 4))))
                .add(v3.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x3 + at + 6))));
      }
      IntVector i0 = s0.reinterpretAsInts();
      IntVector i1 = s1.reinterpretAsInts();
      IntVector i2 = s2.reinterpretAsInts();
      IntVector i3 = s3.reinterpretAsInts();
      long to = t + g * SUMS_BYTES;
      i0.lanewise(LSHL, 16).lanewise(ASHR, 16).intoMemorySegment(ALL, to + 0 * BYTES, ORDER);
      i0.lanewise(ASHR, 16).intoMemorySegment(ALL, to + 1 * BYTES, ORDER);
      i1.lanewise(LSHL, 16).lanewise(ASHR, 16).intoMemorySegment(ALL, to + 2 * BYTES, ORDER);
      i1.lanewise(ASHR, 16).intoMemorySegment(ALL, to + 3 * BYTES, ORDER);
      i2.lanewise(LSHL, 16).lanewise(ASHR, 16).intoMemorySegment(ALL, to + 4 * BYTES, ORDER);
      i2.lanewise(ASHR, 16).intoMemorySegment(ALL, to + 5 * BYTES, ORDER);
      i3.lanewise(LSHL, 16).lanewise(ASHR, 16).intoMemorySegment(ALL, to + 6 * BYTES, ORDER);
      i3.lanewise(ASHR, 16).intoMemorySegment(ALL, to + 7 * BYTES, ORDER);
    }
  }
}
