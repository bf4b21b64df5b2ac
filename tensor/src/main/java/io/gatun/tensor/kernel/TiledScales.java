package io.gatun.tensor.kernel;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.Elements.FLOAT;
import static io.gatun.tensor.kernel.Lanes.FLOATS;
import static io.gatun.tensor.kernel.Lanes.INTS;
import static io.gatun.tensor.kernel.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.Lanes.ORDER;
import static io.gatun.tensor.kernel.Lanes.floats;
import static io.gatun.tensor.kernel.Lanes.toFloat;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/// Adds groups' integer sums, times their scales, to the products of one vector of rows: even lanes
/// at address `y`, odd lanes, which are 16 rows further down, 64 bytes behind.
final class TiledScales {
  private static final int BYTES = TiledProduct.VECTOR_BYTES;
  private static final int SUMS_BYTES = TiledProduct.SUMS_BYTES;

  /// Brings the exponent of F16 bits that were moved to a float's place to a float's bias.
  private static final float F16_BIAS = 0x1p112f;

  /// Where a float has a sign and the exponent and mantissa of F16.
  private static final int F16_PLACE = 0x8FFFE000;

  private TiledScales() {}

  static void clear(long y) {
    FloatVector zero = FloatVector.zero(FLOATS);
    zero.intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
    zero.intoMemorySegment(ALL, y + TiledProduct.ODD_BYTES & IN_BOUNDS, ORDER);
  }

  /// `y += sum * weight scale * activation scale`.
  ///
  /// @param t address of the sums of these rows, as [TiledInt4#oneRow] leaves them
  /// @param d address of the scales; those of group g are `(g >> shift) * bytes` behind
  /// @param x address of the activations' blocks
  static void add(long t, long d, int shift, int bytes, long x, int groups, long y) {
    FloatVector even = floats(y);
    FloatVector odd = floats(y + TiledProduct.ODD_BYTES);
    for (int g = 0; g < groups; g++, x += QuantizedRows.BLOCK_BYTES, t += SUMS_BYTES) {
      IntVector scales = ints(d + (g >> shift) * bytes);
      float a = ALL.get(FLOAT, (x & IN_BOUNDS) + QuantizedRows.SCALE) * F16_BIAS;
      even = toFloat(ints(t)).fma(unbiased(scales.lanewise(LSHL, 16)).mul(a), even);
      odd = toFloat(ints(t + BYTES)).fma(unbiased(scales).mul(a), odd);
    }
    even.intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
    odd.intoMemorySegment(ALL, y + TiledProduct.ODD_BYTES & IN_BOUNDS, ORDER);
  }

  /// The same for weights with minima, over (a part of) the 256 columns of one tile, and for the
  /// even or the odd lanes only: with d and m the tile's scale and minimum, and s and n the
  /// group's, `y += d * s * (sum + 8 sum of activations) * activation scale - m * n * scaled
  /// activations`.
  ///
  /// It is one method without helpers so that C2 does not run out of nodes for inlining them, here
  /// or in a caller, which it would inline shorter methods into.
  ///
  /// @param tile address of the tile
  /// @param lane 0 for the even lanes, 16 for the odd ones
  static void addWithMinima(long t, long tile, long x, int groups, long y, int lane) {
    FloatVector scaled = FloatVector.zero(FLOATS);
    FloatVector minima = FloatVector.zero(FLOATS);
    long pairs = tile + TiledLayout.MINIMA_HEAD_BYTES;
    for (int g = 0; g < groups; g++) {
      IntVector pair =
          IntVector.fromMemorySegment(INTS, ALL, pairs & IN_BOUNDS, ORDER).lanewise(LSHR, lane);
      IntVector sums = IntVector.fromMemorySegment(INTS, ALL, t & IN_BOUNDS, ORDER);
      float a = ALL.get(FLOAT, (x & IN_BOUNDS) + QuantizedRows.SCALE);
      float sum = ALL.get(FLOAT, (x & IN_BOUNDS) + QuantizedRows.SCALED_SUM);
      FloatVector s = (FloatVector) pair.and(0xFF).convert(I2F, 0);
      FloatVector n = (FloatVector) pair.lanewise(LSHR, 8).and(0xFF).convert(I2F, 0);
      scaled = ((FloatVector) sums.convert(I2F, 0)).mul(a).add(8 * sum).fma(s, scaled);
      minima = n.mul(sum).add(minima);
      pairs += TiledLayout.MINIMA_GROUP_BYTES;
      x += QuantizedRows.BLOCK_BYTES;
      t += SUMS_BYTES;
    }
    FloatVector d =
        IntVector.fromMemorySegment(INTS, ALL, tile & IN_BOUNDS, ORDER)
            .lanewise(LSHL, 16 - lane)
            .lanewise(ASHR, 3)
            .and(F16_PLACE)
            .reinterpretAsFloats();
    FloatVector m =
        IntVector.fromMemorySegment(INTS, ALL, (tile & IN_BOUNDS) + TiledLayout.SCALES_BYTES, ORDER)
            .lanewise(LSHL, 16 - lane)
            .lanewise(ASHR, 3)
            .and(F16_PLACE)
            .reinterpretAsFloats();
    FloatVector.fromMemorySegment(FLOATS, ALL, y & IN_BOUNDS, ORDER)
        .add(d.mul(F16_BIAS).mul(scaled))
        .sub(m.mul(F16_BIAS).mul(minima))
        .intoMemorySegment(ALL, y & IN_BOUNDS, ORDER);
  }

  private static IntVector ints(long address) {
    return IntVector.fromMemorySegment(INTS, ALL, address & IN_BOUNDS, ORDER);
  }

  /// The finite F16 in the lanes' upper halves, times 2^-112.
  private static FloatVector unbiased(IntVector bits) {
    return bits.lanewise(ASHR, 3).and(F16_PLACE).reinterpretAsFloats();
  }
}
