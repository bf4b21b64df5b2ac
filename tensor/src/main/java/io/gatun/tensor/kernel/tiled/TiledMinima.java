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
import static io.gatun.tensor.kernel.tiled.QuantizedRows.SCALED_SUM;
import static io.gatun.tensor.kernel.tiled.TiledLayout.MINIMA_GROUP_BYTES;
import static io.gatun.tensor.kernel.tiled.TiledLayout.MINIMA_HEAD_BYTES;
import static io.gatun.tensor.kernel.tiled.TiledLayout.SCALES_BYTES;
import static io.gatun.tensor.kernel.tiled.TiledProduct.ODD_BYTES;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/// Products of 4-bit weights with minima: with d and m the tile's scale and minimum, and s and n
/// the group's, a row's product is the sum over groups of `d s (sum + 8 sum of activations) *
/// activation scale - m n * scaled activations`, where sum is what [TiledInt4] has, too.
///
/// Parameters and form are those of [TiledInt4]; a tile has eight groups.
final class TiledMinima {
  private TiledMinima() {}

  static void oneRow(long w, int tileBytes, long x, int groups, long y) {
    FloatVector even = FloatVector.zero(FLOATS);
    FloatVector odd = FloatVector.zero(FLOATS);
    for (int g = 0; g < groups; g++) {
      long tile = w + (long) (g >> 3) * tileBytes & IN_BOUNDS;
      long pairs = tile + MINIMA_HEAD_BYTES + (g & 7) * MINIMA_GROUP_BYTES & IN_BOUNDS;
      long a = x + (long) g * BLOCK_BYTES & IN_BOUNDS;
      ShortVector s =
          IntVector.broadcast(INTS, ALL.get(INT, a + MINUS_8_SUM)).reinterpretAsShorts();
      for (int q = 0; q < 8; q++) {
        long b = a + q * 16 & IN_BOUNDS;
        ShortVector v =
            ShortVector.fromMemorySegment(
                WORDS, ALL, pairs + SCALES_BYTES + q * 64 & IN_BOUNDS, ORDER);
        ShortVector b0 = IntVector.broadcast(INTS, ALL.get(INT, b)).reinterpretAsShorts();
        ShortVector b1 = IntVector.broadcast(INTS, ALL.get(INT, b + 4)).reinterpretAsShorts();
        ShortVector b2 = IntVector.broadcast(INTS, ALL.get(INT, b + 8)).reinterpretAsShorts();
        ShortVector b3 = IntVector.broadcast(INTS, ALL.get(INT, b + 12)).reinterpretAsShorts();
        ShortVector low = v.mul(b0).add(v.lanewise(LSHR, 4).mul(b1));
        ShortVector high = v.lanewise(LSHR, 8).mul(b2).add(v.lanewise(LSHR, 12).mul(b3));
        s = s.add(low.add(high));
      }
      IntVector d = IntVector.fromMemorySegment(INTS, ALL, tile, ORDER);
      IntVector m = IntVector.fromMemorySegment(INTS, ALL, tile + SCALES_BYTES, ORDER);
      IntVector pair = IntVector.fromMemorySegment(INTS, ALL, pairs, ORDER);
      FloatVector ds =
          d.lanewise(LSHL, 16)
              .lanewise(ASHR, 3)
              .and(F16_PLACE)
              .reinterpretAsFloats()
              .mul((FloatVector) pair.and(0xFF).convertShape(I2F, FLOATS, 0));
      FloatVector mn =
          m.lanewise(LSHL, 16)
              .lanewise(ASHR, 3)
              .and(F16_PLACE)
              .reinterpretAsFloats()
              .mul((FloatVector) pair.lanewise(LSHR, 8).and(0xFF).convertShape(I2F, FLOATS, 0));
      FloatVector es =
          d.lanewise(ASHR, 3)
              .and(F16_PLACE)
              .reinterpretAsFloats()
              .mul((FloatVector) pair.lanewise(LSHR, 16).and(0xFF).convertShape(I2F, FLOATS, 0));
      FloatVector en =
          m.lanewise(ASHR, 3)
              .and(F16_PLACE)
              .reinterpretAsFloats()
              .mul((FloatVector) pair.lanewise(LSHR, 24).convertShape(I2F, FLOATS, 0));
      IntVector i = s.reinterpretAsInts();
      FloatVector f = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a + SCALE) * F16_BIAS);
      FloatVector t = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a + SCALED_SUM) * F16_BIAS);
      FloatVector h = t.mul(8);
      even =
          ((FloatVector) i.lanewise(LSHL, 16).lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(f, h)
              .fma(ds, even)
              .sub(mn.mul(t));
      odd =
          ((FloatVector) i.lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(f, h)
              .fma(es, odd)
              .sub(en.mul(t));
    }
    even.intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
    odd.intoMemorySegment(ALL, y + ODD_BYTES & IN_BOUNDS, ORDER);
  }

  static void twoRows(
      long w, int tileBytes, long x, long xStride, int groups, long y, long yStride) {
    FloatVector even0 = FloatVector.zero(FLOATS);
    FloatVector odd0 = FloatVector.zero(FLOATS);
    FloatVector even1 = FloatVector.zero(FLOATS);
    FloatVector odd1 = FloatVector.zero(FLOATS);
    for (int g = 0; g < groups; g++) {
      long tile = w + (long) (g >> 3) * tileBytes & IN_BOUNDS;
      long pairs = tile + MINIMA_HEAD_BYTES + (g & 7) * MINIMA_GROUP_BYTES & IN_BOUNDS;
      long a0 = x + (long) g * BLOCK_BYTES & IN_BOUNDS;
      long a1 = x + xStride + (long) g * BLOCK_BYTES & IN_BOUNDS;
      ShortVector s0 =
          IntVector.broadcast(INTS, ALL.get(INT, a0 + MINUS_8_SUM)).reinterpretAsShorts();
      ShortVector s1 =
          IntVector.broadcast(INTS, ALL.get(INT, a1 + MINUS_8_SUM)).reinterpretAsShorts();
      for (int q = 0; q < 8; q++) {
        ShortVector v =
            ShortVector.fromMemorySegment(
                WORDS, ALL, pairs + SCALES_BYTES + q * 64 & IN_BOUNDS, ORDER);
        for (int j = 0; j < 16; j += 8) {
          long b0 = a0 + q * 16 + j & IN_BOUNDS;
          long b1 = a1 + q * 16 + j & IN_BOUNDS;
          ShortVector u = v.lanewise(LSHR, 4);
          ShortVector b00 = IntVector.broadcast(INTS, ALL.get(INT, b0)).reinterpretAsShorts();
          ShortVector b01 = IntVector.broadcast(INTS, ALL.get(INT, b0 + 4)).reinterpretAsShorts();
          s0 = s0.add(v.mul(b00).add(u.mul(b01)));
          ShortVector b10 = IntVector.broadcast(INTS, ALL.get(INT, b1)).reinterpretAsShorts();
          ShortVector b11 = IntVector.broadcast(INTS, ALL.get(INT, b1 + 4)).reinterpretAsShorts();
          s1 = s1.add(v.mul(b10).add(u.mul(b11)));
          v = v.lanewise(LSHR, 8);
        }
      }
      IntVector d = IntVector.fromMemorySegment(INTS, ALL, tile, ORDER);
      IntVector m = IntVector.fromMemorySegment(INTS, ALL, tile + SCALES_BYTES, ORDER);
      IntVector pair = IntVector.fromMemorySegment(INTS, ALL, pairs, ORDER);
      FloatVector ds =
          d.lanewise(LSHL, 16)
              .lanewise(ASHR, 3)
              .and(F16_PLACE)
              .reinterpretAsFloats()
              .mul((FloatVector) pair.and(0xFF).convertShape(I2F, FLOATS, 0));
      FloatVector mn =
          m.lanewise(LSHL, 16)
              .lanewise(ASHR, 3)
              .and(F16_PLACE)
              .reinterpretAsFloats()
              .mul((FloatVector) pair.lanewise(LSHR, 8).and(0xFF).convertShape(I2F, FLOATS, 0));
      FloatVector es =
          d.lanewise(ASHR, 3)
              .and(F16_PLACE)
              .reinterpretAsFloats()
              .mul((FloatVector) pair.lanewise(LSHR, 16).and(0xFF).convertShape(I2F, FLOATS, 0));
      FloatVector en =
          m.lanewise(ASHR, 3)
              .and(F16_PLACE)
              .reinterpretAsFloats()
              .mul((FloatVector) pair.lanewise(LSHR, 24).convertShape(I2F, FLOATS, 0));
      IntVector i0 = s0.reinterpretAsInts();
      FloatVector f0 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a0 + SCALE) * F16_BIAS);
      FloatVector t0 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a0 + SCALED_SUM) * F16_BIAS);
      FloatVector h0 = t0.mul(8);
      even0 =
          ((FloatVector) i0.lanewise(LSHL, 16).lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(f0, h0)
              .fma(ds, even0)
              .sub(mn.mul(t0));
      odd0 =
          ((FloatVector) i0.lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(f0, h0)
              .fma(es, odd0)
              .sub(en.mul(t0));
      IntVector i1 = s1.reinterpretAsInts();
      FloatVector f1 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a1 + SCALE) * F16_BIAS);
      FloatVector t1 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a1 + SCALED_SUM) * F16_BIAS);
      FloatVector h1 = t1.mul(8);
      even1 =
          ((FloatVector) i1.lanewise(LSHL, 16).lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(f1, h1)
              .fma(ds, even1)
              .sub(mn.mul(t1));
      odd1 =
          ((FloatVector) i1.lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(f1, h1)
              .fma(es, odd1)
              .sub(en.mul(t1));
    }
    even0.intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
    odd0.intoMemorySegment(ALL, y + ODD_BYTES & IN_BOUNDS, ORDER);
    even1.intoMemorySegment(ALL, y + yStride & IN_BOUNDS, ORDER);
    odd1.intoMemorySegment(ALL, y + yStride + ODD_BYTES & IN_BOUNDS, ORDER);
  }
}
