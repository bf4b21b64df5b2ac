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
import static io.gatun.tensor.kernel.tiled.QuantizedRows.SCALE;
import static io.gatun.tensor.kernel.tiled.TiledLayout.SCALES_BYTES;
import static io.gatun.tensor.kernel.tiled.TiledProduct.ODD_BYTES;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/// Products of 8-bit weights.
///
/// A word holds two weights of one row, so that two products of at most 127 * 127 fit its lane.
/// Even and odd lanes are then added as 32-bit integers: with 2^15 added to the even one, a pair of
/// lanes is the integer `2^16 odd + even + 2^15`, of which the sum and the sum of the upper halves
/// are taken.
///
/// Parameters and form are those of [TiledInt4]; a group has 1024 bytes of words.
final class TiledInt8 {
  /// What 16 times 2^15 make, from 16 words a group.
  private static final int BIASES = 16 << 15;

  private TiledInt8() {}

  static void oneRow(long w, int shift, int bytes, long x, int groups, long y) {
    int mask = (1 << shift) - 1;
    ShortVector bias = IntVector.broadcast(INTS, 1 << 15).reinterpretAsShorts();
    FloatVector even = FloatVector.zero(FLOATS);
    FloatVector odd = FloatVector.zero(FLOATS);
    for (int g = 0; g < groups; g++) {
      long tile = w + (long) (g >> shift) * bytes & IN_BOUNDS;
      long words = tile + SCALES_BYTES + (g & mask) * 1024;
      long a = x + (long) g * BLOCK_BYTES & IN_BOUNDS;
      IntVector all = IntVector.zero(INTS);
      IntVector high = IntVector.zero(INTS);
      for (int p = 0; p < 16; p++) {
        ShortVector v =
            ShortVector.fromMemorySegment(WORDS, ALL, words + p * 64 & IN_BOUNDS, ORDER);
        ShortVector l = v.lanewise(LSHL, 8).lanewise(ASHR, 8);
        ShortVector h = v.lanewise(ASHR, 8);
        ShortVector b0 =
            IntVector.broadcast(INTS, ALL.get(INT, a + p * 8 & IN_BOUNDS)).reinterpretAsShorts();
        ShortVector b1 =
            IntVector.broadcast(INTS, ALL.get(INT, a + p * 8 + 4 & IN_BOUNDS))
                .reinterpretAsShorts();
        IntVector pair = l.mul(b0).add(h.mul(b1)).add(bias).reinterpretAsInts();
        all = all.add(pair);
        high = high.add(pair.lanewise(ASHR, 16));
      }
      IntVector scales = IntVector.fromMemorySegment(INTS, ALL, tile, ORDER);
      FloatVector d =
          scales.lanewise(LSHL, 16).lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      FloatVector e = scales.lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      IntVector low = all.sub(high.lanewise(LSHL, 16)).sub(BIASES);
      FloatVector f = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a + SCALE) * F16_BIAS);
      even = ((FloatVector) low.convertShape(I2F, FLOATS, 0)).fma(d.mul(f), even);
      odd = ((FloatVector) high.convertShape(I2F, FLOATS, 0)).fma(e.mul(f), odd);
    }
    even.intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
    odd.intoMemorySegment(ALL, y + ODD_BYTES & IN_BOUNDS, ORDER);
  }

  static void twoRows(
      long w, int shift, int bytes, long x, long xStride, int groups, long y, long yStride) {
    int mask = (1 << shift) - 1;
    ShortVector bias = IntVector.broadcast(INTS, 1 << 15).reinterpretAsShorts();
    FloatVector even0 = FloatVector.zero(FLOATS);
    FloatVector odd0 = FloatVector.zero(FLOATS);
    FloatVector even1 = FloatVector.zero(FLOATS);
    FloatVector odd1 = FloatVector.zero(FLOATS);
    for (int g = 0; g < groups; g++) {
      long tile = w + (long) (g >> shift) * bytes & IN_BOUNDS;
      long words = tile + SCALES_BYTES + (g & mask) * 1024;
      long a0 = x + (long) g * BLOCK_BYTES & IN_BOUNDS;
      long a1 = x + xStride + (long) g * BLOCK_BYTES & IN_BOUNDS;
      IntVector all0 = IntVector.zero(INTS);
      IntVector high0 = IntVector.zero(INTS);
      IntVector all1 = IntVector.zero(INTS);
      IntVector high1 = IntVector.zero(INTS);
      for (int p = 0; p < 16; p++) {
        ShortVector v =
            ShortVector.fromMemorySegment(WORDS, ALL, words + p * 64 & IN_BOUNDS, ORDER);
        ShortVector l = v.lanewise(LSHL, 8).lanewise(ASHR, 8);
        ShortVector h = v.lanewise(ASHR, 8);
        ShortVector b00 =
            IntVector.broadcast(INTS, ALL.get(INT, a0 + p * 8 & IN_BOUNDS)).reinterpretAsShorts();
        ShortVector b01 =
            IntVector.broadcast(INTS, ALL.get(INT, a0 + p * 8 + 4 & IN_BOUNDS))
                .reinterpretAsShorts();
        IntVector pair0 = l.mul(b00).add(h.mul(b01)).add(bias).reinterpretAsInts();
        all0 = all0.add(pair0);
        high0 = high0.add(pair0.lanewise(ASHR, 16));
        ShortVector b10 =
            IntVector.broadcast(INTS, ALL.get(INT, a1 + p * 8 & IN_BOUNDS)).reinterpretAsShorts();
        ShortVector b11 =
            IntVector.broadcast(INTS, ALL.get(INT, a1 + p * 8 + 4 & IN_BOUNDS))
                .reinterpretAsShorts();
        IntVector pair1 = l.mul(b10).add(h.mul(b11)).add(bias).reinterpretAsInts();
        all1 = all1.add(pair1);
        high1 = high1.add(pair1.lanewise(ASHR, 16));
      }
      IntVector scales = IntVector.fromMemorySegment(INTS, ALL, tile, ORDER);
      FloatVector d =
          scales.lanewise(LSHL, 16).lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      FloatVector e = scales.lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      IntVector low0 = all0.sub(high0.lanewise(LSHL, 16)).sub(BIASES);
      FloatVector f0 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a0 + SCALE) * F16_BIAS);
      even0 = ((FloatVector) low0.convertShape(I2F, FLOATS, 0)).fma(d.mul(f0), even0);
      odd0 = ((FloatVector) high0.convertShape(I2F, FLOATS, 0)).fma(e.mul(f0), odd0);
      IntVector low1 = all1.sub(high1.lanewise(LSHL, 16)).sub(BIASES);
      FloatVector f1 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a1 + SCALE) * F16_BIAS);
      even1 = ((FloatVector) low1.convertShape(I2F, FLOATS, 0)).fma(d.mul(f1), even1);
      odd1 = ((FloatVector) high1.convertShape(I2F, FLOATS, 0)).fma(e.mul(f1), odd1);
    }
    even0.intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
    odd0.intoMemorySegment(ALL, y + ODD_BYTES & IN_BOUNDS, ORDER);
    even1.intoMemorySegment(ALL, y + yStride & IN_BOUNDS, ORDER);
    odd1.intoMemorySegment(ALL, y + yStride + ODD_BYTES & IN_BOUNDS, ORDER);
  }
}
