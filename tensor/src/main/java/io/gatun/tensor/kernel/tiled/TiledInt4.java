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

/// Products of one vector of rows of 4-bit weights, over all their columns.
///
/// A word holds four weights of one row as w + 8. All arithmetic is modulo 2^16 and starts at `-8 *
/// sum of the activations`, so the true sum of a group's 32 products remains, at most 32 * 8 * 127
/// = 32512; then it is widened and scaled. [QuantizedRows] tells how the masks are saved.
///
/// These are root kernels: C2 compiles a method of this kind without boxing only if it inlines all
/// of it, so each calls nothing but the JDK's vectors, and not many of them. All do the same
/// arithmetic for a row of activations, however many rows there are.
final class TiledInt4 {
  private TiledInt4() {}

  /// One row of activations.
  ///
  /// @param w address of the vector's scales in the first tile; its words are behind them
  /// @param shift, bytes group g is in tile `g >> shift`; tiles are `bytes` apart
  /// @param x address of the activations' blocks
  /// @param y address of the products of even lanes; those of odd ones are [TiledProduct#ODD_BYTES]
  ///   behind
  static void oneRow(long w, int shift, int bytes, long x, int groups, long y) {
    int mask = (1 << shift) - 1;
    FloatVector even = FloatVector.zero(FLOATS);
    FloatVector odd = FloatVector.zero(FLOATS);
    for (int g = 0; g < groups; g++) {
      long tile = w + (long) (g >> shift) * bytes & IN_BOUNDS;
      long words = tile + SCALES_BYTES + (g & mask) * 512;
      long a = x + (long) g * BLOCK_BYTES & IN_BOUNDS;
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
        s = s.add(low.add(high));
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
  /// @param xStride, yStride bytes from the first row's to the next
  static void twoRows(
      long w, int shift, int bytes, long x, long xStride, int groups, long y, long yStride) {
    int mask = (1 << shift) - 1;
    FloatVector even0 = FloatVector.zero(FLOATS);
    FloatVector odd0 = FloatVector.zero(FLOATS);
    FloatVector even1 = FloatVector.zero(FLOATS);
    FloatVector odd1 = FloatVector.zero(FLOATS);
    for (int g = 0; g < groups; g++) {
      long tile = w + (long) (g >> shift) * bytes & IN_BOUNDS;
      long words = tile + SCALES_BYTES + (g & mask) * 512;
      long a0 = x + (long) g * BLOCK_BYTES & IN_BOUNDS;
      long a1 = x + xStride + (long) g * BLOCK_BYTES & IN_BOUNDS;
      ShortVector s0 =
          IntVector.broadcast(INTS, ALL.get(INT, a0 + MINUS_8_SUM)).reinterpretAsShorts();
      ShortVector s1 =
          IntVector.broadcast(INTS, ALL.get(INT, a1 + MINUS_8_SUM)).reinterpretAsShorts();
      for (int q = 0; q < 8; q++) {
        ShortVector v =
            ShortVector.fromMemorySegment(WORDS, ALL, words + q * 64 & IN_BOUNDS, ORDER);
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

  /// Four rows of activations, as [#twoRows]. Written out like that, C2 would no longer inline all
  /// of it: so the columns of a word are a loop.
  static void fourRows(
      long w, int shift, int bytes, long x, long xStride, int groups, long y, long yStride) {
    int mask = (1 << shift) - 1;
    FloatVector even0 = FloatVector.zero(FLOATS);
    FloatVector odd0 = FloatVector.zero(FLOATS);
    FloatVector even1 = FloatVector.zero(FLOATS);
    FloatVector odd1 = FloatVector.zero(FLOATS);
    FloatVector even2 = FloatVector.zero(FLOATS);
    FloatVector odd2 = FloatVector.zero(FLOATS);
    FloatVector even3 = FloatVector.zero(FLOATS);
    FloatVector odd3 = FloatVector.zero(FLOATS);
    for (int g = 0; g < groups; g++) {
      long tile = w + (long) (g >> shift) * bytes & IN_BOUNDS;
      long words = tile + SCALES_BYTES + (g & mask) * 512;
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
        for (int j = 0; j < 16; j += 4) {
          long at = q * 16 + j;
          ShortVector b0 =
              IntVector.broadcast(INTS, ALL.get(INT, a0 + at & IN_BOUNDS)).reinterpretAsShorts();
          s0 = s0.add(v.mul(b0));
          ShortVector b1 =
              IntVector.broadcast(INTS, ALL.get(INT, a1 + at & IN_BOUNDS)).reinterpretAsShorts();
          s1 = s1.add(v.mul(b1));
          ShortVector b2 =
              IntVector.broadcast(INTS, ALL.get(INT, a2 + at & IN_BOUNDS)).reinterpretAsShorts();
          s2 = s2.add(v.mul(b2));
          ShortVector b3 =
              IntVector.broadcast(INTS, ALL.get(INT, a3 + at & IN_BOUNDS)).reinterpretAsShorts();
          s3 = s3.add(v.mul(b3));
          v = v.lanewise(LSHR, 4);
        }
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
      IntVector i2 = s2.reinterpretAsInts();
      FloatVector f2 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a2 + SCALE) * F16_BIAS);
      even2 =
          ((FloatVector) i2.lanewise(LSHL, 16).lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(d.mul(f2), even2);
      odd2 =
          ((FloatVector) i2.lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0)).fma(e.mul(f2), odd2);
      IntVector i3 = s3.reinterpretAsInts();
      FloatVector f3 = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a3 + SCALE) * F16_BIAS);
      even3 =
          ((FloatVector) i3.lanewise(LSHL, 16).lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(d.mul(f3), even3);
      odd3 =
          ((FloatVector) i3.lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0)).fma(e.mul(f3), odd3);
    }
    even0.intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
    odd0.intoMemorySegment(ALL, y + ODD_BYTES & IN_BOUNDS, ORDER);
    even1.intoMemorySegment(ALL, y + yStride & IN_BOUNDS, ORDER);
    odd1.intoMemorySegment(ALL, y + yStride + ODD_BYTES & IN_BOUNDS, ORDER);
    even2.intoMemorySegment(ALL, y + 2 * yStride & IN_BOUNDS, ORDER);
    odd2.intoMemorySegment(ALL, y + 2 * yStride + ODD_BYTES & IN_BOUNDS, ORDER);
    even3.intoMemorySegment(ALL, y + 3 * yStride & IN_BOUNDS, ORDER);
    odd3.intoMemorySegment(ALL, y + 3 * yStride + ODD_BYTES & IN_BOUNDS, ORDER);
  }
}
