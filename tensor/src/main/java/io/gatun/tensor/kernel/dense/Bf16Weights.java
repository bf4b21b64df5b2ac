package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.floats;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;

import io.gatun.tensor.kernel.scalar.Floats;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/// The weights of [AttentionScores] as BF16.
///
/// Constants are vectors from the start, and the main loop has all its operations in one body:
/// helpers that have been compiled themselves are not inlined again, and then the loop takes ten
/// times as long.
final class Bf16Weights {
  private static final float LOG2_E = 0x1.715476p+0f;

  // From 512 to 1024 a float counts in steps of 2^-14. So the bits of 512 + x after the first nine
  // are x, and with 127 more an exponent and a mantissa.
  private static final float ONE = 512 + 127;

  // The least weights are nothing beside the others, and no denormal number comes of them.
  private static final int LOWEST = Float.floatToRawIntBits(ONE - 100);
  private static final IntVector LEAST = all(LOWEST);

  /// The greatest exponents of a vector of which all lanes count, followed by as many of which none
  /// does, which get the least weight.
  private static final MemorySegment GREATEST = greatest();

  private static final IntVector MANTISSA = all(0x7FFFFF);
  private static final IntVector EXPONENT_OF_ONE = all(0x3F800000);
  private static final IntVector HALF = all(0x8000);
  private static final FloatVector LOG2_ES = all(LOG2_E);

  // 2^(m - 1) / m on [1, 2) by the cubic of least error relative to it.
  private static final FloatVector C3 = all(-0.10644569f);
  private static final FloatVector C2 = all(0.7074758f);
  private static final FloatVector C1 = all(-1.3773077f);
  private static final FloatVector C0 = all(1.7756149f);

  private Bf16Weights() {}

  private static MemorySegment greatest() {
    var limits = Arena.global().allocate(8L * COUNT, 64);
    for (int i = 0; i < 2 * COUNT; i++) {
      int limit = i < COUNT ? Float.floatToRawIntBits(ONE + 100) : LOWEST;
      ALL.set(Floats.INT, limits.address() + 4L * i, limit);
    }
    return limits;
  }

  /// Replaces a query's products by its weights, which are within 7e-4 of their size before they
  /// are rounded, but within 2^-100 and 2^100, and 2^100 for NaN.
  ///
  /// @param products rows of the grid, one after the other
  /// @param target where the weights begin, sufficiently before the products
  /// @return the sum of the weights before they were rounded
  static float of(
      long products,
      long target,
      int rows,
      int columns,
      long heights,
      long widths,
      float scale,
      float reference) {
    long limits = GREATEST.address() + 4L * COUNT;
    var factor = FloatVector.broadcast(FLOATS, scale);
    var sum = FloatVector.zero(FLOATS);
    for (int m = 0; m < rows; m++) {
      long row = products + 4L * m * columns;
      long to = target + 2L * m * columns;
      float height = ALL.get(FLOAT, heights + 4L * m) - reference;
      var base = FloatVector.broadcast(FLOATS, height * LOG2_E + ONE);
      for (int n = 0; n < columns; n += COUNT) {
        var limit = floats(limits - 4L * Math.min(columns - n, COUNT)).reinterpretAsInts();
        var bits =
            floats(row + 4L * n)
                .fma(factor, floats(widths + 4L * n))
                .fma(LOG2_ES, base)
                .reinterpretAsInts()
                .lanewise(VectorOperators.MAX, LEAST)
                .lanewise(VectorOperators.MIN, limit)
                .lanewise(VectorOperators.LSHL, 9);
        // As a float that is 2^k m, with m = 1 + f in the place of 2^f = 2^(m - 1).
        var mantissa =
            bits.lanewise(VectorOperators.AND, MANTISSA)
                .lanewise(VectorOperators.OR, EXPONENT_OF_ONE)
                .reinterpretAsFloats();
        var e =
            mantissa
                .fma(C3, C2)
                .fma(mantissa, C1)
                .fma(mantissa, C0)
                .mul(bits.reinterpretAsFloats());
        var rounded = e.reinterpretAsInts().lanewise(VectorOperators.ADD, HALF);
        Lanes.storeShorts(rounded.lanewise(VectorOperators.LSHR, 16), to + 2L * n);
        sum = sum.add(e);
      }
    }
    return Lanes.sum(sum);
  }

  /// Makes `n` scores weights, reading and writing nothing beyond.
  ///
  /// @return the sum of the weights before they are rounded
  static float of(long from, int n, float reference, long to) {
    int bound = n - n % COUNT;
    var base = all(ONE - reference * LOG2_E);
    var sum = FloatVector.zero(FLOATS);
    for (int i = 0; i < bound; i += COUNT) {
      var e = exp(floats(from + 4L * i), base);
      Lanes.storeBf16(e, to + 2L * i);
      sum = sum.add(e);
    }
    if (bound < n && n >= COUNT) {
      // The last vector begins among weights that are there already.
      int last = n - COUNT;
      var e = exp(floats(from + 4L * last), base);
      Lanes.storeBf16(e, to + 2L * last);
      return Lanes.sum(sum.add(e, FLOATS.indexInRange(last - bound, COUNT)));
    }
    float total = Lanes.sum(sum);
    for (int i = bound; i < n; i++) {
      float weight = (float) Math.exp(ALL.get(FLOAT, from + 4L * i) - reference);
      ALL.set(Floats.SHORT, to + 2L * i, Floats.floatToBf16(weight));
      total += weight;
    }
    return total;
  }

  /// `e^x 2^(base - ONE)`, as in the loop above.
  private static FloatVector exp(FloatVector x, FloatVector base) {
    var bits =
        x.fma(LOG2_ES, base)
            .reinterpretAsInts()
            .lanewise(VectorOperators.MAX, LEAST)
            .lanewise(VectorOperators.MIN, Float.floatToRawIntBits(ONE + 100))
            .lanewise(VectorOperators.LSHL, 9);
    var mantissa =
        bits.lanewise(VectorOperators.AND, MANTISSA)
            .lanewise(VectorOperators.OR, EXPONENT_OF_ONE)
            .reinterpretAsFloats();
    return mantissa.fma(C3, C2).fma(mantissa, C1).fma(mantissa, C0).mul(bits.reinterpretAsFloats());
  }

  private static IntVector all(int value) {
    return IntVector.broadcast(Lanes.INTS, value);
  }

  private static FloatVector all(float value) {
    return FloatVector.broadcast(FLOATS, value);
  }
}
