package io.gatun.tensor.kernel.tiled;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.Lanes.F16_BIAS;
import static io.gatun.tensor.kernel.dense.Lanes.F16_PLACE;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.INTS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.ORDER;
import static io.gatun.tensor.kernel.dense.Lanes.WORDS;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.INT;
import static io.gatun.tensor.kernel.tiled.QuantizedRows.BLOCK_BYTES;
import static io.gatun.tensor.kernel.tiled.QuantizedRows.MINUS_8_SUM;
import static io.gatun.tensor.kernel.tiled.QuantizedRows.SCALE;
import static io.gatun.tensor.kernel.tiled.TiledLayout.SCALES_BYTES;
import static io.gatun.tensor.kernel.tiled.TiledProduct.ODD_BYTES;
import static io.gatun.tensor.kernel.tiled.TiledProduct.VECTOR_BYTES;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import io.gatun.tensor.kernel.tiled.TiledWords.Groups;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/// What [TiledInt4] and [TiledWords] do with four-bit weights, of two vectors of words at a time: a
/// whole tile, where vectors have 256 bits. Two share each vector of activations, and a tile is
/// read as it lies. Words are shifted by numbers: CPUs without AVX-512 shift 16-bit lanes only by
/// one for all, and for a vector of them C2 makes a dozen instructions. Four rows of activations at
/// a time are no faster than two, since there are too few registers.
///
/// Root kernels, with the same results to the bit.
final class TiledPairs {
  /// Whether two vectors are a tile here.
  static final boolean AVAILABLE = VECTOR_BYTES == 32;

  private TiledPairs() {}

  /// As [TiledInt4#oneRow], of the vectors at `w` and behind it.
  static void oneRow(long w, int shift, int bytes, long x, int step, int groups, long y) {
    int mask = (1 << shift) - 1;
    FloatVector even0 = FloatVector.zero(FLOATS);
    FloatVector odd0 = even0;
    FloatVector even1 = even0;
    FloatVector odd1 = even0;
    for (int g = 0; g < groups; g++) {
      long tile = w + (long) (g >> shift) * bytes & IN_BOUNDS;
      long words = tile + SCALES_BYTES + (g & mask) * 512;
      long a = x + (long) g * step & IN_BOUNDS;
      ShortVector s0 =
          IntVector.broadcast(INTS, ALL.get(INT, a + MINUS_8_SUM)).reinterpretAsShorts();
      ShortVector s1 = s0;
      for (int q = 0; q < 8; q++) {
        long b = a + q * 16;
        long at = words + q * 64 & IN_BOUNDS;
        ShortVector v = ShortVector.fromMemorySegment(WORDS, ALL, at, ORDER);
        ShortVector u = ShortVector.fromMemorySegment(WORDS, ALL, at + VECTOR_BYTES, ORDER);
        for (int i = 0; i < 4; i++) {
          ShortVector m = v.lanewise(LSHR, 4 * i);
          ShortVector n = u.lanewise(LSHR, 4 * i);
          long c = b + 4 * i & IN_BOUNDS;
          ShortVector b0 = IntVector.broadcast(INTS, ALL.get(INT, c)).reinterpretAsShorts();
          s0 = m.mul(b0).add(s0);
          s1 = n.mul(b0).add(s1);
        }
      }
      FloatVector f = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a + SCALE) * F16_BIAS);
      IntVector scales0 = IntVector.fromMemorySegment(INTS, ALL, tile, ORDER);
      FloatVector d0 =
          scales0.lanewise(LSHL, 16).lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      FloatVector e0 = scales0.lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      IntVector i0 = s0.reinterpretAsInts();
      even0 =
          ((FloatVector) i0.lanewise(LSHL, 16).lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(d0.mul(f), even0);
      odd0 =
          ((FloatVector) i0.lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0)).fma(e0.mul(f), odd0);
      IntVector scales1 = IntVector.fromMemorySegment(INTS, ALL, tile + VECTOR_BYTES, ORDER);
      FloatVector d1 =
          scales1.lanewise(LSHL, 16).lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      FloatVector e1 = scales1.lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      IntVector i1 = s1.reinterpretAsInts();
      even1 =
          ((FloatVector) i1.lanewise(LSHL, 16).lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(d1.mul(f), even1);
      odd1 =
          ((FloatVector) i1.lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0)).fma(e1.mul(f), odd1);
    }
    even0.intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
    odd0.intoMemorySegment(ALL, y + ODD_BYTES & IN_BOUNDS, ORDER);
    even1.intoMemorySegment(ALL, y + VECTOR_BYTES & IN_BOUNDS, ORDER);
    odd1.intoMemorySegment(ALL, y + VECTOR_BYTES + ODD_BYTES & IN_BOUNDS, ORDER);
  }

  /// Two rows of activations, whose blocks and products are side by side and `yStride` bytes apart.
  static void twoRows(
      long w, int shift, int bytes, long x, int step, int groups, long y, long yStride) {
    int mask = (1 << shift) - 1;
    FloatVector even00 = FloatVector.zero(FLOATS);
    FloatVector odd00 = even00;
    FloatVector even01 = even00;
    FloatVector odd01 = even00;
    FloatVector even10 = even00;
    FloatVector odd10 = even00;
    FloatVector even11 = even00;
    FloatVector odd11 = even00;
    for (int g = 0; g < groups; g++) {
      long tile = w + (long) (g >> shift) * bytes & IN_BOUNDS;
      long words = tile + SCALES_BYTES + (g & mask) * 512;
      long a = x + (long) g * step & IN_BOUNDS;
      ShortVector s00 =
          IntVector.broadcast(INTS, ALL.get(INT, a + MINUS_8_SUM)).reinterpretAsShorts();
      ShortVector s01 = s00;
      ShortVector s10 =
          IntVector.broadcast(INTS, ALL.get(INT, a + BLOCK_BYTES + MINUS_8_SUM))
              .reinterpretAsShorts();
      ShortVector s11 = s10;
      for (int q = 0; q < 8; q++) {
        long b = a + q * 16;
        long at = words + q * 64 & IN_BOUNDS;
        ShortVector v = ShortVector.fromMemorySegment(WORDS, ALL, at, ORDER);
        ShortVector u = ShortVector.fromMemorySegment(WORDS, ALL, at + VECTOR_BYTES, ORDER);
        for (int i = 0; i < 4; i++) {
          ShortVector m = v.lanewise(LSHR, 4 * i);
          ShortVector n = u.lanewise(LSHR, 4 * i);
          long c = b + 4 * i & IN_BOUNDS;
          ShortVector b0 = IntVector.broadcast(INTS, ALL.get(INT, c)).reinterpretAsShorts();
          s00 = m.mul(b0).add(s00);
          s01 = n.mul(b0).add(s01);
          ShortVector b1 =
              IntVector.broadcast(INTS, ALL.get(INT, c + BLOCK_BYTES)).reinterpretAsShorts();
          s10 = m.mul(b1).add(s10);
          s11 = n.mul(b1).add(s11);
        }
      }
      FloatVector f0 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a + SCALE) * F16_BIAS);
      FloatVector f1 =
          FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a + BLOCK_BYTES + SCALE) * F16_BIAS);
      IntVector scales0 = IntVector.fromMemorySegment(INTS, ALL, tile, ORDER);
      FloatVector d0 =
          scales0.lanewise(LSHL, 16).lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      FloatVector e0 = scales0.lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      IntVector i00 = s00.reinterpretAsInts();
      even00 =
          ((FloatVector) i00.lanewise(LSHL, 16).lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(d0.mul(f0), even00);
      odd00 =
          ((FloatVector) i00.lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(e0.mul(f0), odd00);
      IntVector i10 = s10.reinterpretAsInts();
      even10 =
          ((FloatVector) i10.lanewise(LSHL, 16).lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(d0.mul(f1), even10);
      odd10 =
          ((FloatVector) i10.lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(e0.mul(f1), odd10);
      IntVector scales1 = IntVector.fromMemorySegment(INTS, ALL, tile + VECTOR_BYTES, ORDER);
      FloatVector d1 =
          scales1.lanewise(LSHL, 16).lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      FloatVector e1 = scales1.lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      IntVector i01 = s01.reinterpretAsInts();
      even01 =
          ((FloatVector) i01.lanewise(LSHL, 16).lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(d1.mul(f0), even01);
      odd01 =
          ((FloatVector) i01.lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(e1.mul(f0), odd01);
      IntVector i11 = s11.reinterpretAsInts();
      even11 =
          ((FloatVector) i11.lanewise(LSHL, 16).lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(d1.mul(f1), even11);
      odd11 =
          ((FloatVector) i11.lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(e1.mul(f1), odd11);
    }
    even00.intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
    odd00.intoMemorySegment(ALL, y + ODD_BYTES & IN_BOUNDS, ORDER);
    even01.intoMemorySegment(ALL, y + VECTOR_BYTES & IN_BOUNDS, ORDER);
    odd01.intoMemorySegment(ALL, y + VECTOR_BYTES + ODD_BYTES & IN_BOUNDS, ORDER);
    even10.intoMemorySegment(ALL, y + yStride & IN_BOUNDS, ORDER);
    odd10.intoMemorySegment(ALL, y + yStride + ODD_BYTES & IN_BOUNDS, ORDER);
    even11.intoMemorySegment(ALL, y + yStride + VECTOR_BYTES & IN_BOUNDS, ORDER);
    odd11.intoMemorySegment(ALL, y + yStride + VECTOR_BYTES + ODD_BYTES & IN_BOUNDS, ORDER);
  }

  /// As [TiledWords#int4], of the vectors at `w` and behind it, whose sums lie side by side for
  /// each group.
  static void int4(long w, Groups at, long x, int step, int from, int to, long s) {
    int shift = at.shift();
    int mask = at.mask();
    int tile = at.tile();
    int group = at.group();
    for (int g = from; g < to; g++) {
      long words = w + (long) (g >> shift) * tile + (g & mask) * group;
      long a = x + (long) g * step & IN_BOUNDS;
      ShortVector s0 =
          IntVector.broadcast(INTS, ALL.get(INT, a + MINUS_8_SUM)).reinterpretAsShorts();
      ShortVector t0 = s0;
      for (int q = 0; q < 8; q++) {
        long from0 = words + q * 64 & IN_BOUNDS;
        ShortVector v = ShortVector.fromMemorySegment(WORDS, ALL, from0, ORDER);
        ShortVector u = ShortVector.fromMemorySegment(WORDS, ALL, from0 + VECTOR_BYTES, ORDER);
        long b = a + q * 16;
        for (int i = 0; i < 4; i++) {
          ShortVector m = v.lanewise(LSHR, 4 * i);
          ShortVector n = u.lanewise(LSHR, 4 * i);
          long c = b + 4 * i & IN_BOUNDS;
          ShortVector b0 = IntVector.broadcast(INTS, ALL.get(INT, c)).reinterpretAsShorts();
          s0 = m.mul(b0).add(s0);
          t0 = n.mul(b0).add(t0);
        }
      }
      long sums = s + (long) (g - from) * 2 * VECTOR_BYTES & IN_BOUNDS;
      s0.intoMemorySegment(ALL, sums, ORDER);
      t0.intoMemorySegment(ALL, sums + VECTOR_BYTES, ORDER);
    }
  }

  /// As [#int4], of two rows of activations: those of the first row, and then those of the second.
  static void int4x2(long w, Groups at, long x, int step, int from, int to, long s) {
    int shift = at.shift();
    int mask = at.mask();
    int tile = at.tile();
    int group = at.group();
    for (int g = from; g < to; g++) {
      long words = w + (long) (g >> shift) * tile + (g & mask) * group;
      long a = x + (long) g * step & IN_BOUNDS;
      ShortVector s0 =
          IntVector.broadcast(INTS, ALL.get(INT, a + MINUS_8_SUM)).reinterpretAsShorts();
      ShortVector t0 = s0;
      ShortVector s1 =
          IntVector.broadcast(INTS, ALL.get(INT, a + BLOCK_BYTES + MINUS_8_SUM))
              .reinterpretAsShorts();
      ShortVector t1 = s1;
      for (int q = 0; q < 8; q++) {
        long from0 = words + q * 64 & IN_BOUNDS;
        ShortVector v = ShortVector.fromMemorySegment(WORDS, ALL, from0, ORDER);
        ShortVector u = ShortVector.fromMemorySegment(WORDS, ALL, from0 + VECTOR_BYTES, ORDER);
        long b = a + q * 16;
        for (int i = 0; i < 4; i++) {
          ShortVector m = v.lanewise(LSHR, 4 * i);
          ShortVector n = u.lanewise(LSHR, 4 * i);
          long c = b + 4 * i & IN_BOUNDS;
          ShortVector b0 = IntVector.broadcast(INTS, ALL.get(INT, c)).reinterpretAsShorts();
          s0 = m.mul(b0).add(s0);
          t0 = n.mul(b0).add(t0);
          ShortVector b1 =
              IntVector.broadcast(INTS, ALL.get(INT, c + BLOCK_BYTES)).reinterpretAsShorts();
          s1 = m.mul(b1).add(s1);
          t1 = n.mul(b1).add(t1);
        }
      }
      long sums = s + (long) (g - from) * 4 * VECTOR_BYTES & IN_BOUNDS;
      s0.intoMemorySegment(ALL, sums, ORDER);
      t0.intoMemorySegment(ALL, sums + VECTOR_BYTES, ORDER);
      s1.intoMemorySegment(ALL, sums + 2 * VECTOR_BYTES, ORDER);
      t1.intoMemorySegment(ALL, sums + 3 * VECTOR_BYTES, ORDER);
    }
  }
}
