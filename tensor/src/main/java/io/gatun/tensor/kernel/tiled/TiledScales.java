package io.gatun.tensor.kernel.tiled;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.Lanes.F16_BIAS;
import static io.gatun.tensor.kernel.dense.Lanes.F16_PLACE;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.INTS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.ORDER;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.tiled.QuantizedRows.SCALE;
import static io.gatun.tensor.kernel.tiled.QuantizedRows.SCALED_SUM;
import static io.gatun.tensor.kernel.tiled.TiledLayout.MINIMA_HEAD_BYTES;
import static io.gatun.tensor.kernel.tiled.TiledLayout.PAIRS_GROUP_BYTES;
import static io.gatun.tensor.kernel.tiled.TiledLayout.SCALES_BYTES;
import static io.gatun.tensor.kernel.tiled.TiledProduct.ODD_BYTES;
import static io.gatun.tensor.kernel.tiled.TiledProduct.VECTOR_BYTES;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/// Adds what groups contribute to products: their sums of [TiledWords], times the scales of weights
/// and activations. Root kernels, as there.
final class TiledScales {
  /// What products with minima are made in, since times 2^112, as F16 need it, sums of activations
  /// would not fit into a float.
  private static final float UNIT = 0x1p-32f;

  /// Groups of a tile with minima.
  private static final int TILE_GROUPS = 8;

  private TiledScales() {}

  /// Zeros for the products at `y` and [TiledProduct#ODD_BYTES] behind.
  static void clear(long y) {
    FloatVector.zero(FLOATS).intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
    FloatVector.zero(FLOATS).intoMemorySegment(ALL, y + ODD_BYTES & IN_BOUNDS, ORDER);
  }

  /// Sums of four-bit weights, for one row of activations.
  ///
  /// @param w address of the vector's scales in the first tile; those of group g are `(g >> shift)
  ///   * tile` bytes behind
  /// @param x address of the first activations' block
  /// @param step bytes from a group's to the next one's
  /// @param from, to the groups
  /// @param s address of the first one's sums
  /// @param sums bytes from a group's to the next one's
  /// @param y address of the products of even lanes, to which is added; those of odd ones are
  ///   [TiledProduct#ODD_BYTES] behind
  static void int4(
      long w, int shift, int tile, long x, int step, int from, int to, long s, int sums, long y) {
    FloatVector even = FloatVector.fromMemorySegment(FLOATS, ALL, y & IN_BOUNDS, ORDER);
    FloatVector odd = FloatVector.fromMemorySegment(FLOATS, ALL, y + ODD_BYTES & IN_BOUNDS, ORDER);
    for (int g = from; g < to; g++) {
      long at = w + (long) (g >> shift) * tile & IN_BOUNDS;
      long a = x + (long) g * step & IN_BOUNDS;
      long sum = s + (long) (g - from) * sums & IN_BOUNDS;
      IntVector i = IntVector.fromMemorySegment(INTS, ALL, sum, ORDER);
      IntVector scales = IntVector.fromMemorySegment(INTS, ALL, at, ORDER);
      FloatVector d =
          scales.lanewise(LSHL, 16).lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      FloatVector e = scales.lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      FloatVector f = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a + SCALE) * F16_BIAS);
      even =
          ((FloatVector) i.lanewise(LSHL, 16).lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0))
              .fma(d.mul(f), even);
      odd = ((FloatVector) i.lanewise(ASHR, 16).convertShape(I2F, FLOATS, 0)).fma(e.mul(f), odd);
    }
    even.intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
    odd.intoMemorySegment(ALL, y + ODD_BYTES & IN_BOUNDS, ORDER);
  }

  /// As [#int4], of eight-bit weights.
  static void int8(
      long w, int shift, int tile, long x, int step, int from, int to, long s, int sums, long y) {
    FloatVector even = FloatVector.fromMemorySegment(FLOATS, ALL, y & IN_BOUNDS, ORDER);
    FloatVector odd = FloatVector.fromMemorySegment(FLOATS, ALL, y + ODD_BYTES & IN_BOUNDS, ORDER);
    for (int g = from; g < to; g++) {
      long at = w + (long) (g >> shift) * tile & IN_BOUNDS;
      long a = x + (long) g * step & IN_BOUNDS;
      long sum = s + (long) (g - from) * sums & IN_BOUNDS;
      IntVector low = IntVector.fromMemorySegment(INTS, ALL, sum, ORDER);
      IntVector high = IntVector.fromMemorySegment(INTS, ALL, sum + VECTOR_BYTES, ORDER);
      IntVector scales = IntVector.fromMemorySegment(INTS, ALL, at, ORDER);
      FloatVector d =
          scales.lanewise(LSHL, 16).lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      FloatVector e = scales.lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
      FloatVector f = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a + SCALE) * F16_BIAS);
      even = ((FloatVector) low.convertShape(I2F, FLOATS, 0)).fma(d.mul(f), even);
      odd = ((FloatVector) high.convertShape(I2F, FLOATS, 0)).fma(e.mul(f), odd);
    }
    even.intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
    odd.intoMemorySegment(ALL, y + ODD_BYTES & IN_BOUNDS, ORDER);
  }

  /// As [#int4], of four-bit weights with minima, in either half of the lanes: with d and m the
  /// tile's scale and minimum, and s and n the group's, a product is the sum over groups of `d s
  /// (sum + 8 sum of activations) * activation scale - m n * scaled activations`.
  ///
  /// @param lane 0 for even lanes, 1 for odd ones
  /// @param w address of the vector's part of the first tile
  static void minima(
      int lane, long w, int tile, long x, int step, int from, int to, long s, int sums, long y) {
    int up = 16 - 16 * lane;
    FloatVector product =
        FloatVector.fromMemorySegment(FLOATS, ALL, y & IN_BOUNDS, ORDER).mul(UNIT);
    for (int first = from; first < to; first += TILE_GROUPS) {
      long at = w + (long) (first / TILE_GROUPS) * tile & IN_BOUNDS;
      FloatVector d =
          IntVector.fromMemorySegment(INTS, ALL, at, ORDER)
              .lanewise(LSHL, up)
              .lanewise(ASHR, 3)
              .and(F16_PLACE)
              .reinterpretAsFloats();
      FloatVector m =
          IntVector.fromMemorySegment(INTS, ALL, at + SCALES_BYTES, ORDER)
              .lanewise(LSHL, up)
              .lanewise(ASHR, 3)
              .and(F16_PLACE)
              .reinterpretAsFloats();
      for (int i = 0; i < TILE_GROUPS; i++) {
        int g = first + i;
        long pairs = at + MINIMA_HEAD_BYTES + (long) i * PAIRS_GROUP_BYTES & IN_BOUNDS;
        long a = x + (long) g * step & IN_BOUNDS;
        long sum = s + (long) (g - from) * sums & IN_BOUNDS;
        IntVector pair = IntVector.fromMemorySegment(INTS, ALL, pairs, ORDER).lanewise(LSHL, up);
        FloatVector ds =
            d.mul((FloatVector) pair.lanewise(LSHR, 16).and(0xFF).convertShape(I2F, FLOATS, 0));
        FloatVector mn = m.mul((FloatVector) pair.lanewise(LSHR, 24).convertShape(I2F, FLOATS, 0));
        FloatVector f =
            FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a + SCALE) * (F16_BIAS * UNIT));
        FloatVector t =
            FloatVector.broadcast(FLOATS, ALL.get(FLOAT, a + SCALED_SUM) * (F16_BIAS * UNIT));
        IntVector products =
            IntVector.fromMemorySegment(INTS, ALL, sum, ORDER)
                .lanewise(LSHL, up)
                .lanewise(ASHR, 16);
        product =
            ((FloatVector) products.convertShape(I2F, FLOATS, 0))
                .fma(f, t.mul(8))
                .fma(ds, product)
                .sub(mn.mul(t));
      }
    }
    product.mul(1 / UNIT).intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
  }
}
