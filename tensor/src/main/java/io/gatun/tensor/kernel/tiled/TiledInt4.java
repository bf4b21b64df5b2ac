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
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/// Products of one vector of rows of four-bit weights with one or two rows of activations, over all
/// their columns: what [TiledWords] and [TiledScales] do, in the same order, in one pass. Decoding
/// waits for memory, and a pass of its own for the scales would let the memory wait.
///
/// Root kernels, as there: of more rows, they would have too many calls.
final class TiledInt4 {
  private TiledInt4() {}

  /// One row of activations.
  ///
  /// @param w address of the vector's scales in the first tile; its words are behind them
  /// @param shift, bytes group g is in tile `g >> shift`; tiles are `bytes` apart
  /// @param x address of the first activations' block
  /// @param step bytes from a group's to the next one's
  /// @param y address of the products of even lanes; those of odd ones are [TiledProduct#ODD_BYTES]
  ///   behind
  static void oneRow(long w, int shift, int bytes, long x, int step, int groups, long y) {
    int mask = (1 << shift) - 1;
    FloatVector even = FloatVector.zero(FLOATS);
    FloatVector odd = even;
    for (int g = 0; g < groups; g++) {
      long tile = w + (long) (g >> shift) * bytes & IN_BOUNDS;
      long words = tile + SCALES_BYTES + (g & mask) * 512;
      long a = x + (long) g * step & IN_BOUNDS;
      ShortVector s =
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
        s = low.add(high).add(s);
      }
      IntVector scales = IntVector.fromMemorySegment(INTS, ALL, tile, ORDER);
      FloatVector d =
          scales.lanewise(LSHL, 16).lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      FloatVector e = scales.lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      IntVector i = s.reinterpretAsInts();
      FloatVector f = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a + SCALE) * F16_BIAS);
      even =
          ((FloatVector) i.lanewise(LSHL, 16).lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(d.mul(f), even);
      odd = ((FloatVector) i.lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0)).fma(e.mul(f), odd);
    }
    even.intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
    odd.intoMemorySegment(ALL, y + ODD_BYTES & IN_BOUNDS, ORDER);
  }

  /// Two rows of activations.
  ///
  /// @param yStride bytes from the first row's products to the second's
  static void twoRows(
      long w, int shift, int bytes, long x, int step, int groups, long y, long yStride) {
    int mask = (1 << shift) - 1;
    ShortVector by4 = ShortVector.broadcast(WORDS, 4);
    ShortVector by8 = ShortVector.broadcast(WORDS, 8);
    ShortVector by12 = ShortVector.broadcast(WORDS, 12);
    FloatVector even0 = FloatVector.zero(FLOATS);
    FloatVector odd0 = even0;
    FloatVector even1 = even0;
    FloatVector odd1 = even0;
    for (int g = 0; g < groups; g++) {
      long tile = w + (long) (g >> shift) * bytes & IN_BOUNDS;
      long words = tile + SCALES_BYTES + (g & mask) * 512;
      long a0 = x + (long) g * step & IN_BOUNDS;
      long a1 = a0 + BLOCK_BYTES;
      ShortVector s0 =
          IntVector.broadcast(INTS, ALL.get(INT, a0 + MINUS_8_SUM)).reinterpretAsShorts();
      ShortVector s1 =
          IntVector.broadcast(INTS, ALL.get(INT, a1 + MINUS_8_SUM)).reinterpretAsShorts();
      for (int q = 0; q < 8; q++) {
        ShortVector v =
            ShortVector.fromMemorySegment(WORDS, ALL, words + q * 64 & IN_BOUNDS, ORDER);
        long b0 = a0 + q * 16 & IN_BOUNDS;
        long b1 = b0 + BLOCK_BYTES;
        s0 = v.mul(IntVector.broadcast(INTS, ALL.get(INT, b0)).reinterpretAsShorts()).add(s0);
        s1 = v.mul(IntVector.broadcast(INTS, ALL.get(INT, b1)).reinterpretAsShorts()).add(s1);
        ShortVector v1 = v.lanewise(LSHR, by4);
        s0 = v1.mul(IntVector.broadcast(INTS, ALL.get(INT, b0 + 4)).reinterpretAsShorts()).add(s0);
        s1 = v1.mul(IntVector.broadcast(INTS, ALL.get(INT, b1 + 4)).reinterpretAsShorts()).add(s1);
        ShortVector v2 = v.lanewise(LSHR, by8);
        s0 = v2.mul(IntVector.broadcast(INTS, ALL.get(INT, b0 + 8)).reinterpretAsShorts()).add(s0);
        s1 = v2.mul(IntVector.broadcast(INTS, ALL.get(INT, b1 + 8)).reinterpretAsShorts()).add(s1);
        ShortVector v3 = v.lanewise(LSHR, by12);
        s0 = v3.mul(IntVector.broadcast(INTS, ALL.get(INT, b0 + 12)).reinterpretAsShorts()).add(s0);
        s1 = v3.mul(IntVector.broadcast(INTS, ALL.get(INT, b1 + 12)).reinterpretAsShorts()).add(s1);
      }
      IntVector scales = IntVector.fromMemorySegment(INTS, ALL, tile, ORDER);
      FloatVector d =
          scales.lanewise(LSHL, 16).lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      FloatVector e = scales.lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      IntVector i0 = s0.reinterpretAsInts();
      FloatVector f0 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a0 + SCALE) * F16_BIAS);
      even0 =
          ((FloatVector) i0.lanewise(LSHL, 16).lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(d.mul(f0), even0);
      odd0 =
          ((FloatVector) i0.lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0)).fma(e.mul(f0), odd0);
      IntVector i1 = s1.reinterpretAsInts();
      FloatVector f1 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a1 + SCALE) * F16_BIAS);
      even1 =
          ((FloatVector) i1.lanewise(LSHL, 16).lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(d.mul(f1), even1);
      odd1 =
          ((FloatVector) i1.lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0)).fma(e.mul(f1), odd1);
    }
    even0.intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
    odd0.intoMemorySegment(ALL, y + ODD_BYTES & IN_BOUNDS, ORDER);
    even1.intoMemorySegment(ALL, y + yStride & IN_BOUNDS, ORDER);
    odd1.intoMemorySegment(ALL, y + yStride + ODD_BYTES & IN_BOUNDS, ORDER);
  }
}
