package io.gatun.tensor.kernel;

import static io.gatun.ffm.RawMemory.ALL;
import static io.gatun.tensor.kernel.Elements.SHORT;
import static io.gatun.tensor.kernel.Lanes.INTS;
import static io.gatun.tensor.kernel.Lanes.ORDER;
import static io.gatun.tensor.kernel.Lanes.WORDS;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.LSHL;

import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/// Sums of 8-bit weights times integers, of groups of 32 columns.
///
/// A word holds two weights of one row. Two products and their sum fit 16 bits, since neither
/// weights nor activations are below -127; then even and odd lanes are added as 32-bit integers.
/// The parameters are those of [TiledInt4], except that a group has 1024 bytes.
final class TiledInt8 {
  private static final int BYTES = TiledProduct.VECTOR_BYTES;
  private static final int SUMS_BYTES = TiledProduct.SUMS_BYTES;

  private TiledInt8() {}

  static void fourVectors(
      long w0, long w1, long w2, long w3, int shift, int bytes, long x, int groups, long t) {
    int mask = (1 << shift) - 1;
    for (int g = 0; g < groups; g++, x += QuantizedRows.BLOCK_BYTES) {
      long words = (g >> shift) * bytes + (g & mask) * 1024;
      IntVector even0 = IntVector.zero(INTS);
      IntVector odd0 = IntVector.zero(INTS);
      IntVector even1 = IntVector.zero(INTS);
      IntVector odd1 = IntVector.zero(INTS);
      IntVector even2 = IntVector.zero(INTS);
      IntVector odd2 = IntVector.zero(INTS);
      IntVector even3 = IntVector.zero(INTS);
      IntVector odd3 = IntVector.zero(INTS);
      for (int j = 0; j < 16; j++) {
        ShortVector a0 = ShortVector.broadcast(WORDS, ALL.get(SHORT, x + j * 4));
        ShortVector a1 = ShortVector.broadcast(WORDS, ALL.get(SHORT, x + j * 4 + 2));
        long at = words + j * 64;
        ShortVector v0 = ShortVector.fromMemorySegment(WORDS, ALL, w0 + at, ORDER);
        IntVector p0 =
            v0.lanewise(LSHL, 8)
                .lanewise(ASHR, 8)
                .mul(a0)
                .add(v0.lanewise(ASHR, 8).mul(a1))
                .reinterpretAsInts();
        even0 = even0.add(p0.lanewise(LSHL, 16).lanewise(ASHR, 16));
        odd0 = odd0.add(p0.lanewise(ASHR, 16));
        ShortVector v1 = ShortVector.fromMemorySegment(WORDS, ALL, w1 + at, ORDER);
        IntVector p1 =
            v1.lanewise(LSHL, 8)
                .lanewise(ASHR, 8)
                .mul(a0)
                .add(v1.lanewise(ASHR, 8).mul(a1))
                .reinterpretAsInts();
        even1 = even1.add(p1.lanewise(LSHL, 16).lanewise(ASHR, 16));
        odd1 = odd1.add(p1.lanewise(ASHR, 16));
        ShortVector v2 = ShortVector.fromMemorySegment(WORDS, ALL, w2 + at, ORDER);
        IntVector p2 =
            v2.lanewise(LSHL, 8)
                .lanewise(ASHR, 8)
                .mul(a0)
                .add(v2.lanewise(ASHR, 8).mul(a1))
                .reinterpretAsInts();
        even2 = even2.add(p2.lanewise(LSHL, 16).lanewise(ASHR, 16));
        odd2 = odd2.add(p2.lanewise(ASHR, 16));
        ShortVector v3 = ShortVector.fromMemorySegment(WORDS, ALL, w3 + at, ORDER);
        IntVector p3 =
            v3.lanewise(LSHL, 8)
                .lanewise(ASHR, 8)
                .mul(a0)
                .add(v3.lanewise(ASHR, 8).mul(a1))
                .reinterpretAsInts();
        even3 = even3.add(p3.lanewise(LSHL, 16).lanewise(ASHR, 16));
        odd3 = odd3.add(p3.lanewise(ASHR, 16));
      }
      long to = t + g * SUMS_BYTES;
      even0.intoMemorySegment(ALL, to + 0 * BYTES, ORDER);
      odd0.intoMemorySegment(ALL, to + 1 * BYTES, ORDER);
      even1.intoMemorySegment(ALL, to + 2 * BYTES, ORDER);
      odd1.intoMemorySegment(ALL, to + 3 * BYTES, ORDER);
      even2.intoMemorySegment(ALL, to + 4 * BYTES, ORDER);
      odd2.intoMemorySegment(ALL, to + 5 * BYTES, ORDER);
      even3.intoMemorySegment(ALL, to + 6 * BYTES, ORDER);
      odd3.intoMemorySegment(ALL, to + 7 * BYTES, ORDER);
    }
  }

  static void fourRows(
      long w, int shift, int bytes, long x0, long x1, long x2, long x3, int groups, long t) {
    int mask = (1 << shift) - 1;
    for (int g = 0; g < groups; g++) {
      long x = g * QuantizedRows.BLOCK_BYTES;
      long words = w + (g >> shift) * bytes + (g & mask) * 1024;
      IntVector even0 = IntVector.zero(INTS);
      IntVector odd0 = IntVector.zero(INTS);
      IntVector even1 = IntVector.zero(INTS);
      IntVector odd1 = IntVector.zero(INTS);
      IntVector even2 = IntVector.zero(INTS);
      IntVector odd2 = IntVector.zero(INTS);
      IntVector even3 = IntVector.zero(INTS);
      IntVector odd3 = IntVector.zero(INTS);
      for (int j = 0; j < 16; j++) {
        ShortVector v = ShortVector.fromMemorySegment(WORDS, ALL, words + j * 64, ORDER);
        ShortVector low = v.lanewise(LSHL, 8).lanewise(ASHR, 8);
        ShortVector high = v.lanewise(ASHR, 8);
        long at = x + j * 4;
        IntVector p0 =
            low.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x0 + at)))
                .add(high.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x0 + at + 2))))
                .reinterpretAsInts();
        even0 = even0.add(p0.lanewise(LSHL, 16).lanewise(ASHR, 16));
        odd0 = odd0.add(p0.lanewise(ASHR, 16));
        IntVector p1 =
            low.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x1 + at)))
                .add(high.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x1 + at + 2))))
                .reinterpretAsInts();
        even1 = even1.add(p1.lanewise(LSHL, 16).lanewise(ASHR, 16));
        odd1 = odd1.add(p1.lanewise(ASHR, 16));
        IntVector p2 =
            low.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x2 + at)))
                .add(high.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x2 + at + 2))))
                .reinterpretAsInts();
        even2 = even2.add(p2.lanewise(LSHL, 16).lanewise(ASHR, 16));
        odd2 = odd2.add(p2.lanewise(ASHR, 16));
        IntVector p3 =
            low.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x3 + at)))
                .add(high.mul(ShortVector.broadcast(WORDS, ALL.get(SHORT, x3 + at + 2))))
                .reinterpretAsInts();
        even3 = even3.add(p3.lanewise(LSHL, 16).lanewise(ASHR, 16));
        odd3 = odd3.add(p3.lanewise(ASHR, 16));
      }
      long to = t + g * SUMS_BYTES;
      even0.intoMemorySegment(ALL, to + 0 * BYTES, ORDER);
      odd0.intoMemorySegment(ALL, to + 1 * BYTES, ORDER);
      even1.intoMemorySegment(ALL, to + 2 * BYTES, ORDER);
      odd1.intoMemorySegment(ALL, to + 3 * BYTES, ORDER);
      even2.intoMemorySegment(ALL, to + 4 * BYTES, ORDER);
      odd2.intoMemorySegment(ALL, to + 5 * BYTES, ORDER);
      even3.intoMemorySegment(ALL, to + 6 * BYTES, ORDER);
      odd3.intoMemorySegment(ALL, to + 7 * BYTES, ORDER);
    }
  }
}
