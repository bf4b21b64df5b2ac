package io.gatun.tensor.kernel;

import static io.gatun.ffm.RawMemory.ALL;
import static io.gatun.tensor.kernel.Lanes.COUNT;
import static io.gatun.tensor.kernel.Lanes.FLOATS;
import static io.gatun.tensor.kernel.Lanes.floats;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/// The softmax of attention on one row of scores, with decomposed relative positions: `score[m][n] *
/// scale + height[m] + width[n]` for a grid of keys (rows, columns).
///
/// Scores are F32 in native memory and given by their address, which whoever calls has checked.
/// Weights, side by side from [#GAP] bytes before the scores on, take their place, since they are
/// needed no longer. Up to a vector beyond the end of scores and widths is read, and its values are
/// ignored; as much beyond the end of the weights is overwritten.
public final class AttentionWeights {
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  private static final float ROUND = 12582912f;

  /// How far before the scores the weights begin: so far that a whole vector of weights overwrites
  /// no score that is still to be read.
  public static final int GAP = 64;

  private static final float LOG2_E = 0x1.715476p+0f;

  private AttentionWeights() {}

  /// The greatest of `score * scale + height + width`.
  public static float max(
      long scores, int rows, int columns, float scale, long heights, long widths) {
    int bound = columns - columns % COUNT;
    var tail = FLOATS.indexInRange(bound, columns);
    var factor = FloatVector.broadcast(FLOATS, scale);
    float max = Float.NEGATIVE_INFINITY;
    for (int m = 0; m < rows; m++) {
      long row = scores + 4L * m * columns;
      var rowMax = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
      for (int n = 0; n < bound; n += COUNT) {
        rowMax = rowMax.max(floats(row + 4L * n).fma(factor, floats(widths + 4L * n)));
      }
      if (bound < columns) {
        var last = floats(row + 4L * bound).fma(factor, floats(widths + 4L * bound));
        rowMax = rowMax.lanewise(VectorOperators.MAX, last, tail);
      }
      max = Math.max(max, rowMax.reduceLanes(VectorOperators.MAX) + height(heights, m));
    }
    return max;
  }

  /// Turns scores into weights `exp(score * scale + height + width - max)`.
  ///
  /// @return the sum of the weights
  public static float exp(
      long scores, int rows, int columns, float scale, long heights, long widths, float max) {
    int bound = columns - columns % COUNT;
    var tail = FLOATS.indexInRange(bound, columns);
    var factor = FloatVector.broadcast(FLOATS, scale);
    var sum = FloatVector.zero(FLOATS);
    for (int m = 0; m < rows; m++) {
      long row = scores + 4L * m * columns;
      long weights = row - GAP;
      float base = height(heights, m) - max;
      for (int n = 0; n < bound; n += COUNT) {
        var x = floats(row + 4L * n).fma(factor, floats(widths + 4L * n)).add(base);
        var e = VectorMath.exp(x);
        Lanes.store(e, weights + 4L * n);
        sum = sum.add(e);
      }
      if (bound < columns) {
        var x = floats(row + 4L * bound).fma(factor, floats(widths + 4L * bound)).add(base);
        var e = VectorMath.exp(x);
        Lanes.store(e, weights + 4L * bound);
        sum = sum.add(e, tail);
      }
    }
    return Lanes.sum(sum);
  }

  /// Turns scores into weights as [#exp] does, within 1e-4 of their size before they are
  /// rounded to BF16.
  ///
  /// @return the sum of the weights
  public static float expToBf16(
      long scores, int rows, int columns, float scale, long heights, long widths, float max) {
    int bound = columns - columns % COUNT;
    var tail = FLOATS.indexInRange(bound, columns);
    var factor = FloatVector.broadcast(FLOATS, scale);
    var sum = FloatVector.zero(FLOATS);
    for (int m = 0; m < rows; m++) {
      long row = scores + 4L * m * columns;
      long weights = scores - GAP + 2L * m * columns;
      var base = FloatVector.broadcast(FLOATS, (height(heights, m) - max) * LOG2_E);
      for (int n = 0; n < bound; n += COUNT) {
        var e = exp(floats(row + 4L * n).fma(factor, floats(widths + 4L * n)), base);
        storeBf16(e, weights + 2L * n);
        sum = sum.add(e);
      }
      if (bound < columns) {
        var e = exp(floats(row + 4L * bound).fma(factor, floats(widths + 4L * bound)), base);
        storeBf16(e, weights + 2L * bound);
        sum = sum.add(e, tail);
      }
    }
    return Lanes.sum(sum);
  }

  /// `e^x 2^base` of at most 1, within 1e-4 of its size; below 2^-126 it stays at that.
  private static FloatVector exp(FloatVector x, FloatVector base) {
    var y = x.fma(FloatVector.broadcast(FLOATS, LOG2_E), base).max(-126f);
    var shifted = y.add(ROUND);
    var r = y.sub(shifted.sub(ROUND));
    // 2^r by the cubic whose greatest error on |r| <= 1/2, relative to 2^r, is least.
    var p =
        r.fma(
            FloatVector.broadcast(FLOATS, 0.0551716f), FloatVector.broadcast(FLOATS, 0.24261113f));
    p = p.fma(r, FloatVector.broadcast(FLOATS, 0.69326099f));
    p = p.fma(r, FloatVector.broadcast(FLOATS, 0.99992807f));
    return p.reinterpretAsInts()
        .add(shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
        .reinterpretAsFloats();
  }

  /// Stores positive numbers as BF16, rounded to nearest, ties up.
  private static void storeBf16(FloatVector v, long address) {
    Lanes.storeShorts(
        v.reinterpretAsInts().add(0x8000).lanewise(VectorOperators.LSHR, 16), address);
  }

  private static float height(long heights, int m) {
    return ALL.get(Elements.FLOAT, heights + 4L * m);
  }
}
