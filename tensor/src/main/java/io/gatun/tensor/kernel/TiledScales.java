package io.gatun.tensor.kernel;

import static io.gatun.ffm.RawMemory.ALL;
import static io.gatun.tensor.kernel.Elements.FLOAT;
import static io.gatun.tensor.kernel.Lanes.FLOATS;
import static io.gatun.tensor.kernel.Lanes.INTS;
import static io.gatun.tensor.kernel.Lanes.ORDER;
import static io.gatun.tensor.kernel.Lanes.floats;
import static io.gatun.tensor.kernel.Lanes.toFloat;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/// Adds groups' integer sums, times their scales, to the products of one vector of rows: even lanes
/// at address `y`, odd lanes, which are 16 rows further down, 64 bytes behind.
final class TiledScales {
  private static final int BYTES = TiledProduct.VECTOR_BYTES;
  private static final int SUMS_BYTES = TiledProduct.SUMS_BYTES;
  private static final int ODD = 64;

  /// Brings the exponent of F16 bits that were moved to a float's place to a float's bias.
  private static final float F16_BIAS = 0x1p112f;

  private TiledScales() {}

  static void clear(long y) {
    FloatVector zero = FloatVector.zero(FLOATS);
    zero.intoMemorySegment(ALL, y, ORDER);
    zero.intoMemorySegment(ALL, y + ODD, ORDER);
  }

  /// `y += sum * weight scale * activation scale`.
  ///
  /// @param t address of the sums of these rows, as [TiledInt4#fourVectors] leaves them
  /// @param d address of the scales; those of group g are `(g >> shift) * bytes` behind
  /// @param x address of the activations' blocks
  static void add(long t, long d, int shift, int bytes, long x, int groups, long y) {
    FloatVector even = floats(y);
    FloatVector odd = floats(y + ODD);
    for (int g = 0; g < groups; g++, x += QuantizedRows.BLOCK_BYTES, t += SUMS_BYTES) {
      IntVector scales = ints(d + (g >> shift) * bytes);
      float a = ALL.get(FLOAT, x + QuantizedRows.SCALE) * F16_BIAS;
      even = toFloat(ints(t)).fma(unbiased(scales.lanewise(LSHL, 16)).mul(a), even);
      odd = toFloat(ints(t + BYTES)).fma(unbiased(scales).mul(a), odd);
    }
    even.intoMemorySegment(ALL, y, ORDER);
    odd.intoMemorySegment(ALL, y + ODD, ORDER);
  }

  /// The same for weights with minima, over (a part of) the 256 columns of one tile: with d and m
  /// the tile's scale and minimum, and s and n the group's, `y += d * s * (sum + 8 sum of
  /// activations) * activation scale - m * n * scaled activations`.
  ///
  /// @param tile address of the tile
  static void addWithMinima(long t, long tile, long x, int groups, long y) {
    FloatVector evenScaled = FloatVector.zero(FLOATS);
    FloatVector oddScaled = FloatVector.zero(FLOATS);
    FloatVector evenMinima = FloatVector.zero(FLOATS);
    FloatVector oddMinima = FloatVector.zero(FLOATS);
    long pairs = tile + TiledLayout.MINIMA_HEAD_BYTES;
    for (int g = 0; g < groups; g++) {
      IntVector pair = ints(pairs);
      float a = ALL.get(FLOAT, x + QuantizedRows.SCALE);
      float sum = ALL.get(FLOAT, x + QuantizedRows.SCALED_SUM);
      evenScaled = toFloat(pair.and(0xFF)).fma(toFloat(ints(t)).mul(a).add(8 * sum), evenScaled);
      oddScaled =
          toFloat(pair.lanewise(LSHR, 16).and(0xFF))
              .fma(toFloat(ints(t + BYTES)).mul(a).add(8 * sum), oddScaled);
      FloatVector sums = FloatVector.broadcast(FLOATS, sum);
      evenMinima = toFloat(pair.lanewise(LSHR, 8).and(0xFF)).fma(sums, evenMinima);
      oddMinima = toFloat(pair.lanewise(LSHR, 24)).fma(sums, oddMinima);
      pairs += TiledLayout.MINIMA_GROUP_BYTES;
      x += QuantizedRows.BLOCK_BYTES;
      t += SUMS_BYTES;
    }
    IntVector d = ints(tile);
    IntVector m = ints(tile + TiledLayout.SCALES_BYTES);
    unbiased(d.lanewise(LSHL, 16))
        .mul(F16_BIAS)
        .fma(evenScaled, floats(y))
        .sub(unbiased(m.lanewise(LSHL, 16)).mul(F16_BIAS).mul(evenMinima))
        .intoMemorySegment(ALL, y, ORDER);
    unbiased(d)
        .mul(F16_BIAS)
        .fma(oddScaled, floats(y + ODD))
        .sub(unbiased(m).mul(F16_BIAS).mul(oddMinima))
        .intoMemorySegment(ALL, y + ODD, ORDER);
  }

  private static IntVector ints(long address) {
    return IntVector.fromMemorySegment(INTS, ALL, address, ORDER);
  }

  /// The finite F16 in the lanes' upper halves, times 2^-112.
  private static FloatVector unbiased(IntVector bits) {
    return bits.lanewise(ASHR, 3).and(0x8FFFE000).reinterpretAsFloats();
  }
}
