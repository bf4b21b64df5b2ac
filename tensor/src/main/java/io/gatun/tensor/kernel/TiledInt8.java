package io.gatun.tensor.kernel;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.Elements.SHORT;
import static io.gatun.tensor.kernel.Lanes.INTS;
import static io.gatun.tensor.kernel.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.Lanes.ORDER;
import static io.gatun.tensor.kernel.Lanes.WORDS;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.XOR;

import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/// Sums of 8-bit weights times integers, of groups of 32 columns.
///
/// A word holds two weights of one row, l and h, as `256 h + (l + 256 if l < 0)`. With its bit 7
/// flipped it is `256 h + l + 128`, so with activations a0 and a1 and b1 = a1 - 256 a0, which is
/// what [QuantizedRows] has, `l a0 + h a1 = flipped a0 + h b1 - 128 a0` modulo 2^16. That fits 16
/// bits, since neither weights nor activations are below -127.
///
/// Even and odd lanes are then added as 32-bit integers. With 2^15 added to the even one, a pair of
/// lanes is the integer `2^16 odd + even + 2^15`, of which the sum and the sum of the upper halves
/// are taken.
///
/// Parameters and form are those of [TiledInt4], except that a group has 1024 bytes of words.
final class TiledInt8 {
  private static final int BYTES = TiledProduct.VECTOR_BYTES;
  private static final int SUMS_BYTES = TiledProduct.SUMS_BYTES;

  /// What 16 times 2^15 make, from 16 words a group.
  private static final int BIASES = 16 << 15;

  private static final ShortVector BIT_7 = ShortVector.broadcast(WORDS, 1 << 7);
  private static final ShortVector MINUS_128 = ShortVector.broadcast(WORDS, -128);
  private static final ShortVector BIAS = IntVector.broadcast(INTS, 1 << 15).reinterpretAsShorts();

  private TiledInt8() {}

  static void oneRow(
      long w0, long w1, long w2, long w3, int shift, int bytes, long x, int groups, long t) {
    int mask = (1 << shift) - 1;
    for (int g = 0; g < groups; g++, x += QuantizedRows.BLOCK_BYTES) {
      long words = (g >> shift) * bytes + (g & mask) * 1024;
      IntVector all0 = IntVector.zero(INTS);
      IntVector odd0 = IntVector.zero(INTS);
      IntVector all1 = IntVector.zero(INTS);
      IntVector odd1 = IntVector.zero(INTS);
      IntVector all2 = IntVector.zero(INTS);
      IntVector odd2 = IntVector.zero(INTS);
      IntVector all3 = IntVector.zero(INTS);
      IntVector odd3 = IntVector.zero(INTS);
      for (long at = x; at != x + 64; at += 4, words += 64) {
        long a = at & IN_BOUNDS;
        ShortVector b0 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a));
        ShortVector b1 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a + 2));
        ShortVector c = b0.mul(MINUS_128).add(BIAS);
        ShortVector v0 = ShortVector.fromMemorySegment(WORDS, ALL, w0 + words & IN_BOUNDS, ORDER);
        IntVector pair0 =
            v0.lanewise(XOR, BIT_7)
                .mul(b0)
                .add(v0.lanewise(ASHR, 8).mul(b1))
                .add(c)
                .reinterpretAsInts();
        all0 = all0.add(pair0);
        odd0 = odd0.add(pair0.lanewise(ASHR, 16));
        ShortVector v1 = ShortVector.fromMemorySegment(WORDS, ALL, w1 + words & IN_BOUNDS, ORDER);
        IntVector pair1 =
            v1.lanewise(XOR, BIT_7)
                .mul(b0)
                .add(v1.lanewise(ASHR, 8).mul(b1))
                .add(c)
                .reinterpretAsInts();
        all1 = all1.add(pair1);
        odd1 = odd1.add(pair1.lanewise(ASHR, 16));
        ShortVector v2 = ShortVector.fromMemorySegment(WORDS, ALL, w2 + words & IN_BOUNDS, ORDER);
        IntVector pair2 =
            v2.lanewise(XOR, BIT_7)
                .mul(b0)
                .add(v2.lanewise(ASHR, 8).mul(b1))
                .add(c)
                .reinterpretAsInts();
        all2 = all2.add(pair2);
        odd2 = odd2.add(pair2.lanewise(ASHR, 16));
        ShortVector v3 = ShortVector.fromMemorySegment(WORDS, ALL, w3 + words & IN_BOUNDS, ORDER);
        IntVector pair3 =
            v3.lanewise(XOR, BIT_7)
                .mul(b0)
                .add(v3.lanewise(ASHR, 8).mul(b1))
                .add(c)
                .reinterpretAsInts();
        all3 = all3.add(pair3);
        odd3 = odd3.add(pair3.lanewise(ASHR, 16));
      }
      long to = t + g * SUMS_BYTES & IN_BOUNDS;
      all0.sub(odd0.lanewise(LSHL, 16)).sub(BIASES).intoMemorySegment(ALL, to + 0 * BYTES, ORDER);
      odd0.intoMemorySegment(ALL, to + 1 * BYTES, ORDER);
      all1.sub(odd1.lanewise(LSHL, 16)).sub(BIASES).intoMemorySegment(ALL, to + 2 * BYTES, ORDER);
      odd1.intoMemorySegment(ALL, to + 3 * BYTES, ORDER);
      all2.sub(odd2.lanewise(LSHL, 16)).sub(BIASES).intoMemorySegment(ALL, to + 4 * BYTES, ORDER);
      odd2.intoMemorySegment(ALL, to + 5 * BYTES, ORDER);
      all3.sub(odd3.lanewise(LSHL, 16)).sub(BIASES).intoMemorySegment(ALL, to + 6 * BYTES, ORDER);
      odd3.intoMemorySegment(ALL, to + 7 * BYTES, ORDER);
    }
  }

  static void twoRows(
      long w0, long w1, int shift, int bytes, long x0, long x1, int groups, long t) {
    int mask = (1 << shift) - 1;
    for (int g = 0; g < groups; g++) {
      long words = (g >> shift) * bytes + (g & mask) * 1024;
      IntVector all00 = IntVector.zero(INTS);
      IntVector odd00 = IntVector.zero(INTS);
      IntVector all01 = IntVector.zero(INTS);
      IntVector odd01 = IntVector.zero(INTS);
      IntVector all10 = IntVector.zero(INTS);
      IntVector odd10 = IntVector.zero(INTS);
      IntVector all11 = IntVector.zero(INTS);
      IntVector odd11 = IntVector.zero(INTS);
      for (long at = 0; at != 64; at += 4, words += 64) {
        long a0 = x0 + at & IN_BOUNDS;
        long a1 = x1 + at & IN_BOUNDS;
        ShortVector b00 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a0));
        ShortVector b01 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a0 + 2));
        ShortVector c0 = b00.mul(MINUS_128).add(BIAS);
        ShortVector b10 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a1));
        ShortVector b11 = ShortVector.broadcast(WORDS, ALL.get(SHORT, a1 + 2));
        ShortVector c1 = b10.mul(MINUS_128).add(BIAS);
        ShortVector v0 = ShortVector.fromMemorySegment(WORDS, ALL, w0 + words & IN_BOUNDS, ORDER);
        ShortVector flipped0 = v0.lanewise(XOR, BIT_7);
        ShortVector high0 = v0.lanewise(ASHR, 8);
        IntVector pair00 = flipped0.mul(b00).add(high0.mul(b01)).add(c0).reinterpretAsInts();
        all00 = all00.add(pair00);
        odd00 = odd00.add(pair00.lanewise(ASHR, 16));
        IntVector pair01 = flipped0.mul(b10).add(high0.mul(b11)).add(c1).reinterpretAsInts();
        all01 = all01.add(pair01);
        odd01 = odd01.add(pair01.lanewise(ASHR, 16));
        ShortVector v1 = ShortVector.fromMemorySegment(WORDS, ALL, w1 + words & IN_BOUNDS, ORDER);
        ShortVector flipped1 = v1.lanewise(XOR, BIT_7);
        ShortVector high1 = v1.lanewise(ASHR, 8);
        IntVector pair10 = flipped1.mul(b00).add(high1.mul(b01)).add(c0).reinterpretAsInts();
        all10 = all10.add(pair10);
        odd10 = odd10.add(pair10.lanewise(ASHR, 16));
        IntVector pair11 = flipped1.mul(b10).add(high1.mul(b11)).add(c1).reinterpretAsInts();
        all11 = all11.add(pair11);
        odd11 = odd11.add(pair11.lanewise(ASHR, 16));
      }
      long to = t + g * SUMS_BYTES & IN_BOUNDS;
      all00.sub(odd00.lanewise(LSHL, 16)).sub(BIASES).intoMemorySegment(ALL, to + 0 * BYTES, ORDER);
      odd00.intoMemorySegment(ALL, to + 1 * BYTES, ORDER);
      all01.sub(odd01.lanewise(LSHL, 16)).sub(BIASES).intoMemorySegment(ALL, to + 2 * BYTES, ORDER);
      odd01.intoMemorySegment(ALL, to + 3 * BYTES, ORDER);
      all10.sub(odd10.lanewise(LSHL, 16)).sub(BIASES).intoMemorySegment(ALL, to + 4 * BYTES, ORDER);
      odd10.intoMemorySegment(ALL, to + 5 * BYTES, ORDER);
      all11.sub(odd11.lanewise(LSHL, 16)).sub(BIASES).intoMemorySegment(ALL, to + 6 * BYTES, ORDER);
      odd11.intoMemorySegment(ALL, to + 7 * BYTES, ORDER);
      x0 += QuantizedRows.BLOCK_BYTES;
      x1 += QuantizedRows.BLOCK_BYTES;
    }
  }
}
