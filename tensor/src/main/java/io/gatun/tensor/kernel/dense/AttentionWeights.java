package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.Lanes.BY_1;
import static io.gatun.tensor.kernel.dense.Lanes.BY_2;
import static io.gatun.tensor.kernel.dense.Lanes.BY_4;
import static io.gatun.tensor.kernel.dense.Lanes.BY_8;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.INTS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.LANE_SHARE;
import static io.gatun.tensor.kernel.dense.Lanes.ORDER;
import static io.gatun.tensor.kernel.dense.Lanes.SHORTS;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;

import io.gatun.tensor.kernel.scalar.Floats;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/// The weights of rows that see the same keys: their products turned into `e^(score - reference)`,
/// in place, and added to their totals.
///
/// Constants are vectors from the start, and each loop has all its operations in one body: helpers
/// that have been compiled themselves are not inlined again, and then the loop takes ten times as
/// long.
final class AttentionWeights {
  static final float LOG2_E = 0x1.715476p+0f;

  // From 512 to 1024 a float counts in steps of 2^-14. So the bits of 512 + x after the first nine
  // are x, and with 127 more an exponent and a mantissa.
  static final float ONE = 512 + 127;

  // The least weights are nothing beside the others, and no denormal number comes of them, which
  // takes a processor a hundred times as long.
  private static final int LOWEST = Float.floatToRawIntBits(ONE - 100);
  static final IntVector LEAST = all(LOWEST);

  /// The greatest exponents of a vector of which all lanes count, followed by as many of which none
  /// does, which get the least weight.
  private static final MemorySegment GREATEST = limits(Float.floatToRawIntBits(ONE + 100), LOWEST);

  static final IntVector MANTISSA = all(0x7FFFFF);
  static final IntVector EXPONENT_OF_ONE = all(0x3F800000);
  static final IntVector HALF = all(0x8000);
  private static final FloatVector LOG2_ES = all(LOG2_E);

  // 2^(m - 1) / m on [1, 2) by the cubic of least error relative to it.
  static final FloatVector C3 = all(-0.10644569f);
  static final FloatVector C2 = all(0.7074758f);
  static final FloatVector C1 = all(-1.3773077f);
  static final FloatVector C0 = all(1.7756149f);

  // As far as F32 weights go, in either direction.
  private static final IntVector MOST = all(Float.floatToRawIntBits(70));
  private static final IntVector FEWEST = all(Float.floatToRawIntBits(-70));

  /// The least exponents, as unsigned bits, of a vector of which all lanes count, followed by as
  /// many of which none does, which get the least weight.
  private static final MemorySegment UNCOUNTED = limits(0, Float.floatToRawIntBits(-70));

  // As in VectorMath#exp.
  private static final FloatVector ROUND = all(Lanes.ROUND);
  private static final FloatVector MINUS_LN2_HIGH = all(-0x1.63p-1f);
  private static final FloatVector MINUS_LN2_LOW = all(0x1.bd0106p-13f);
  private static final FloatVector E7 = all(1f / 5040);
  private static final FloatVector E6 = all(1f / 720);
  private static final FloatVector E5 = all(1f / 120);
  private static final FloatVector E4 = all(1f / 24);
  private static final FloatVector E3 = all(1f / 6);
  private static final FloatVector E2 = all(0.5f);
  private static final FloatVector E1 = all(1f);

  private AttentionWeights() {}

  private static MemorySegment limits(int counted, int others) {
    var limits = Arena.global().allocate(8L * COUNT, 64);
    for (int i = 0; i < 2 * COUNT; i++) {
      ALL.set(Floats.INT, limits.address() + 4L * i, i < COUNT ? counted : others);
    }
    return limits;
  }

  /// Weights as F32, within 2 units in the last place, but within e^-70 and e^70, and e^70 for NaN.
  ///
  /// @param products of each row those with the lines of the grid, one after the other
  /// @param target where the first row's weights begin, sufficiently before the products
  /// @param stride the bytes from row to row of both
  static void floats(
      long products,
      long target,
      long stride,
      int rows,
      int lines,
      int columns,
      long heights,
      long widths,
      float scale,
      long references,
      long totals) {
    long limits = UNCOUNTED.address() + 4L * COUNT;
    var factor = FloatVector.broadcast(FLOATS, scale);
    for (int i = 0; i < rows; i++) {
      float reference = ALL.get(FLOAT, references + 4L * i);
      var sum = FloatVector.zero(FLOATS);
      for (int m = 0; m < lines; m++) {
        long row = products + i * stride + 4L * m * columns;
        long to = target + i * stride + 4L * m * columns;
        float height = ALL.get(FLOAT, heights + 4L * m) - reference;
        var base = FloatVector.broadcast(FLOATS, height);
        for (int n = 0; n < columns; n += COUNT) {
          long limited = limits - 4L * Math.min(columns - n, COUNT);
          var limit = IntVector.fromMemorySegment(INTS, ALL, limited & IN_BOUNDS, ORDER);
          // Limited by integers: the minimum of floats as Java defines it takes six instructions.
          var x =
              FloatVector.fromMemorySegment(FLOATS, ALL, (row + 4L * n) & IN_BOUNDS, ORDER)
                  .fma(
                      factor,
                      FloatVector.fromMemorySegment(
                          FLOATS, ALL, (widths + 4L * n) & IN_BOUNDS, ORDER))
                  .add(base)
                  .reinterpretAsInts()
                  .lanewise(VectorOperators.MIN, MOST)
                  .lanewise(VectorOperators.UMIN, FEWEST)
                  .lanewise(VectorOperators.UMAX, limit)
                  .reinterpretAsFloats();
          var shifted = x.fma(LOG2_ES, ROUND);
          var k = shifted.sub(ROUND);
          var r = k.fma(MINUS_LN2_LOW, k.fma(MINUS_LN2_HIGH, x));
          var power =
              shifted
                  .reinterpretAsInts()
                  .lanewise(VectorOperators.LSHL, 23)
                  .lanewise(VectorOperators.ADD, EXPONENT_OF_ONE)
                  .reinterpretAsFloats();
          var e =
              r.fma(E7, E6)
                  .fma(r, E5)
                  .fma(r, E4)
                  .fma(r, E3)
                  .fma(r, E2)
                  .fma(r, E1)
                  .fma(r, E1)
                  .mul(power);
          e.intoMemorySegment(ALL, (to + 4L * n) & IN_BOUNDS, ORDER);
          sum = e.add(sum);
        }
      }
      // Where a score is NaN, so is the reference to the greatest of all, and then the result.
      long total = totals + 4L * i;
      sum = sum.add(sum.rearrange(BY_8));
      sum = sum.add(sum.rearrange(BY_4));
      sum = sum.add(sum.rearrange(BY_2));
      ALL.set(
          FLOAT,
          total,
          ALL.get(FLOAT, total)
              + sum.add(sum.rearrange(BY_1)).lane(0) * LANE_SHARE
              + 0 * reference);
    }
  }

  /// Weights as BF16, within 7e-4 of their size before they are rounded, but within 2^-100 and
  /// 2^100, and 2^100 for NaN.
  static void bf16(
      long products,
      long target,
      long stride,
      int rows,
      int lines,
      int columns,
      long heights,
      long widths,
      float scale,
      long references,
      long totals) {
    long limits = GREATEST.address() + 4L * COUNT;
    var factor = FloatVector.broadcast(FLOATS, scale);
    for (int i = 0; i < rows; i++) {
      float reference = ALL.get(FLOAT, references + 4L * i);
      var sum = FloatVector.zero(FLOATS);
      for (int m = 0; m < lines; m++) {
        long row = products + i * stride + 4L * m * columns;
        long to = target + i * stride + 2L * m * columns;
        float height = ALL.get(FLOAT, heights + 4L * m) - reference;
        var base = FloatVector.broadcast(FLOATS, height * LOG2_E + ONE);
        for (int n = 0; n < columns; n += COUNT) {
          long limited = limits - 4L * Math.min(columns - n, COUNT);
          var limit = IntVector.fromMemorySegment(INTS, ALL, limited & IN_BOUNDS, ORDER);
          var bits =
              FloatVector.fromMemorySegment(FLOATS, ALL, (row + 4L * n) & IN_BOUNDS, ORDER)
                  .fma(
                      factor,
                      FloatVector.fromMemorySegment(
                          FLOATS, ALL, (widths + 4L * n) & IN_BOUNDS, ORDER))
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
          ((ShortVector)
                  rounded
                      .lanewise(VectorOperators.LSHR, 16)
                      .convertShape(VectorOperators.I2S, SHORTS, 0))
              .intoMemorySegment(ALL, (to + 2L * n) & IN_BOUNDS, ORDER);
          sum = e.add(sum);
        }
      }
      // Where a score is NaN, so is the reference to the greatest of all, and then the result.
      long total = totals + 4L * i;
      sum = sum.add(sum.rearrange(BY_8));
      sum = sum.add(sum.rearrange(BY_4));
      sum = sum.add(sum.rearrange(BY_2));
      ALL.set(
          FLOAT,
          total,
          ALL.get(FLOAT, total)
              + sum.add(sum.rearrange(BY_1)).lane(0) * LANE_SHARE
              + 0 * reference);
    }
  }

  private static IntVector all(int value) {
    return IntVector.broadcast(INTS, value);
  }

  private static FloatVector all(float value) {
    return FloatVector.broadcast(FLOATS, value);
  }
}
