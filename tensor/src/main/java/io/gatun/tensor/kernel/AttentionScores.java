package io.gatun.tensor.kernel;

import static io.gatun.ffm.RawMemory.ALL;
import static io.gatun.ffm.RawMemory.address;
import static io.gatun.tensor.kernel.Elements.FLOAT;
import static io.gatun.tensor.kernel.Lanes.COUNT;
import static io.gatun.tensor.kernel.Lanes.FLOATS;
import static io.gatun.tensor.kernel.Lanes.floats;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/// The softmax of attention on a block of scores (queries, keys), with decomposed relative
/// positions: the score of key (m, n) of a grid is `product * scale + height[m] + width[n]`.
///
/// Everything is F32 in native memory and given by its address, which whoever calls has checked.
/// The weights of a row lie side by side from [#GAP] bytes before its products on and take their
/// place. Up to a vector beyond the end of a row of products and positions is read, and its values
/// are ignored; as much beyond the end of the weights is overwritten.
///
/// @param products of queries and keys
/// @param stride the bytes from row to row
/// @param queries the rows
/// @param firstQuery the index of the first row's query
/// @param keys the columns
/// @param firstKey the index of the first column's key
/// @param scale of the products
/// @param causal whether a query sees only the keys up to its own index
/// @param positions products of each query with the rows of the two tables of relative positions,
///   each table from its last row to its first; without positions as many zeros as there are keys
/// @param positionStride the bytes from row to row of positions
/// @param gridHeight the grid's rows; 0 without positions
/// @param gridWidth the grid's columns; keys are whole rows of the grid
/// @param references what is subtracted from each query's scores
/// @param totals the sums of each query's weights
public record AttentionScores(
    long products,
    long stride,
    int queries,
    int firstQuery,
    int keys,
    int firstKey,
    float scale,
    boolean causal,
    long positions,
    long positionStride,
    int gridHeight,
    int gridWidth,
    long references,
    long totals) {
  /// How far before the products the weights begin: so far that a whole vector of weights
  /// overwrites no product that is still to be read.
  public static final int GAP = 64;

  /// Totals beyond this may have overflowed.
  public static final float GREATEST_TOTAL = 1e29f;

  /// Columns that [#sample] looks at, at the least, where there are as many.
  private static final int SAMPLE = 64;

  private static final float LOG2_E = 0x1.715476p+0f;

  // Weights stay within e^-70 and e^70: the least are nothing beside the others, and no denormal
  // number comes of them, which takes a processor a hundred times as long.
  private static final float LIMIT = 70;
  private static final float LIMIT2 = 100;

  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  private static final float ROUND = 12582912f;

  /// Raises the references to the greatest of the first scores of each row.
  public void sample() {
    greatest(SAMPLE);
  }

  /// Raises the references to the greatest score of each row.
  public void greatest() {
    greatest(keys);
  }

  private void greatest(int limit) {
    for (int i = 0; i < queries; i++) {
      int visible = visible(i);
      if (visible > 0) {
        int columns = columns(visible);
        int enough = gridHeight == 0 ? Math.min(columns, limit) : columns;
        int rows = Math.min(visible / columns, Math.ceilDiv(limit, columns));
        float max =
            greatest(products + i * stride, rows, columns, enough, heights(i), widths(i), scale);
        long at = references + 4L * i;
        ALL.set(FLOAT, at, Math.max(max, ALL.get(FLOAT, at)));
      }
    }
  }

  /// Turns products into weights `exp(score - reference)`, adds them to the totals, and gives keys
  /// that a query does not see the weight 0.
  ///
  /// @param bf16 whether the weights are stored as BF16; then they are within 1e-4 of their size
  ///   before they are rounded, and the row is filled with zeros up to a multiple of 32
  public void weights(boolean bf16) {
    for (int i = 0; i < queries; i++) {
      int visible = visible(i);
      long row = products + i * stride;
      if (visible > 0) {
        int columns = columns(visible);
        long at = totals + 4L * i;
        float reference = ALL.get(FLOAT, references + 4L * i);
        int rows = visible / columns;
        float total =
            bf16
                ? bf16Weights(row, rows, columns, heights(i), widths(i), scale, reference)
                : floatWeights(row, rows, columns, heights(i), widths(i), scale, reference);
        // Where a score is NaN, so is the reference to the greatest of all, and then the result.
        ALL.set(FLOAT, at, ALL.get(FLOAT, at) + total + 0 * reference);
      }
      int end = bf16 ? (keys + 31) & -32 : keys;
      for (int j = visible; j < end; j++) {
        if (bf16) {
          ALL.set(Elements.SHORT, row - GAP + 2L * j, (short) 0);
        } else {
          ALL.set(FLOAT, row - GAP + 4L * j, 0);
        }
      }
    }
  }

  /// Makes a row of scores weights `exp(score - reference)` in BF16, which are within 1e-4 of their
  /// size before they are rounded.
  ///
  /// @param scores `n` F32 from byte `at` on
  /// @param weights `n` BF16 from byte `weightsAt` on
  /// @return the sum of the weights before they are rounded
  public static float weights(
      MemorySegment scores,
      long at,
      int n,
      float reference,
      MemorySegment weights,
      long weightsAt) {
    long from = address(scores, at, 4L * n);
    long to = address(weights, weightsAt, 2L * n);
    float sum = weights(from, n, reference, to);
    Reference.reachabilityFence(scores);
    Reference.reachabilityFence(weights);
    return sum;
  }

  private static float weights(long from, int n, float reference, long to) {
    int bound = n - n % COUNT;
    var base = FloatVector.broadcast(FLOATS, -reference * LOG2_E);
    var sum = FloatVector.zero(FLOATS);
    for (int i = 0; i < bound; i += COUNT) {
      var bits = exp(floats(from + 4L * i), base);
      storeBf16(bits, to + 2L * i);
      sum = sum.add(bits.reinterpretAsFloats());
    }
    if (bound < n && n >= COUNT) {
      // The last vector begins among weights that are there already.
      int last = n - COUNT;
      var bits = exp(floats(from + 4L * last), base);
      storeBf16(bits, to + 2L * last);
      return Lanes.sum(
          sum.add(bits.reinterpretAsFloats(), FLOATS.indexInRange(last - bound, COUNT)));
    }
    float total = Lanes.sum(sum);
    for (int i = bound; i < n; i++) {
      float weight = (float) Math.exp(ALL.get(FLOAT, from + 4L * i) - reference);
      ALL.set(Elements.SHORT, to + 2L * i, Elements.floatToBf16(weight));
      total += weight;
    }
    return total;
  }

  private int visible(int i) {
    return causal ? Math.clamp((long) firstQuery + i + 1 - firstKey, 0, keys) : keys;
  }

  private int columns(int visible) {
    return gridHeight == 0 ? visible : gridWidth;
  }

  private long heights(int i) {
    int query = firstQuery + i;
    return gridHeight == 0
        ? positions
        : positions
            + i * positionStride
            + 4L * (gridHeight - 1 - query / gridWidth + firstKey / gridWidth);
  }

  private long widths(int i) {
    int query = firstQuery + i;
    return gridHeight == 0
        ? positions
        : positions
            + i * positionStride
            + 4L * (2 * gridHeight - 1 + gridWidth - 1 - query % gridWidth);
  }

  /// The greatest of the first `enough` scores of each of `rows` rows of `columns`.
  private static float greatest(
      long products, int rows, int columns, int enough, long heights, long widths, float scale) {
    int bound = enough - enough % COUNT;
    var tail = FLOATS.indexInRange(bound, enough);
    var factor = FloatVector.broadcast(FLOATS, scale);
    var max = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
    for (int m = 0; m < rows; m++) {
      long row = products + 4L * m * columns;
      float height = ALL.get(FLOAT, heights + 4L * m);
      for (int n = 0; n < bound; n += COUNT) {
        max = max.max(floats(row + 4L * n).fma(factor, floats(widths + 4L * n)).add(height));
      }
      if (bound < enough) {
        var last = floats(row + 4L * bound).fma(factor, floats(widths + 4L * bound)).add(height);
        max = max.lanewise(VectorOperators.MAX, last, tail);
      }
    }
    return max.reduceLanes(VectorOperators.MAX);
  }

  /// @return the sum of the weights
  private static float floatWeights(
      long products,
      int rows,
      int columns,
      long heights,
      long widths,
      float scale,
      float reference) {
    int bound = (columns - 1) / COUNT * COUNT;
    var tail = FLOATS.indexInRange(bound, columns);
    var factor = FloatVector.broadcast(FLOATS, scale);
    var last = floats(widths + 4L * bound);
    var sum = FloatVector.zero(FLOATS);
    for (int m = 0; m < rows; m++) {
      long row = products + 4L * m * columns;
      float base = ALL.get(FLOAT, heights + 4L * m) - reference;
      for (int n = 0; n < bound; n += COUNT) {
        var x = floats(row + 4L * n).fma(factor, floats(widths + 4L * n)).add(base);
        var e = VectorMath.exp(clamp(x, LIMIT));
        Lanes.store(e, row - GAP + 4L * n);
        sum = sum.add(e);
      }
      var x = floats(row + 4L * bound).fma(factor, last).add(base);
      var e = VectorMath.exp(clamp(x, LIMIT));
      Lanes.store(e, row - GAP + 4L * bound);
      sum = sum.add(e, tail);
    }
    return Lanes.sum(sum);
  }

  /// @return the sum of the weights
  private static float bf16Weights(
      long products,
      int rows,
      int columns,
      long heights,
      long widths,
      float scale,
      float reference) {
    int bound = (columns - 1) / COUNT * COUNT;
    var tail = FLOATS.indexInRange(bound, columns);
    var factor = FloatVector.broadcast(FLOATS, scale);
    var last = floats(widths + 4L * bound);
    var sum = FloatVector.zero(FLOATS);
    for (int m = 0; m < rows; m++) {
      long row = products + 4L * m * columns;
      long target = products - GAP + 2L * m * columns;
      var base =
          FloatVector.broadcast(FLOATS, (ALL.get(FLOAT, heights + 4L * m) - reference) * LOG2_E);
      for (int n = 0; n < bound; n += COUNT) {
        var bits = exp(floats(row + 4L * n).fma(factor, floats(widths + 4L * n)), base);
        storeBf16(bits, target + 2L * n);
        sum = sum.add(bits.reinterpretAsFloats());
      }
      var bits = exp(floats(row + 4L * bound).fma(factor, last), base);
      storeBf16(bits, target + 2L * bound);
      sum = sum.add(bits.reinterpretAsFloats(), tail);
    }
    return Lanes.sum(sum);
  }

  /// x, but within -limit and limit, and limit for NaN: by integers, since the minimum of floats as
  /// Java defines it takes six instructions.
  private static FloatVector clamp(FloatVector x, float limit) {
    return x.reinterpretAsInts()
        .lanewise(VectorOperators.MIN, Float.floatToRawIntBits(limit))
        .lanewise(VectorOperators.UMIN, Float.floatToRawIntBits(-limit))
        .reinterpretAsFloats();
  }

  /// The bits of `e^x 2^base`, within 1e-4 of its size.
  private static IntVector exp(FloatVector x, FloatVector base) {
    var y = clamp(x.fma(FloatVector.broadcast(FLOATS, LOG2_E), base), LIMIT2);
    var shifted = y.add(ROUND);
    var r = y.sub(shifted.sub(ROUND));
    // 2^r by the cubic whose greatest error on |r| <= 1/2, relative to 2^r, is least.
    var p =
        r.fma(
            FloatVector.broadcast(FLOATS, 0.0551716f), FloatVector.broadcast(FLOATS, 0.24261113f));
    p = p.fma(r, FloatVector.broadcast(FLOATS, 0.693261f));
    p = p.fma(r, FloatVector.broadcast(FLOATS, 0.9999281f));
    return p.reinterpretAsInts()
        .add(shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23));
  }

  /// Stores positive floats as BF16, rounded to nearest, ties up.
  private static void storeBf16(IntVector bits, long address) {
    Lanes.storeShorts(bits.add(0x8000).lanewise(VectorOperators.LSHR, 16), address);
  }

  /// Divides rows of sums by the totals and stores them.
  ///
  /// @param sums F32 (queries, c)
  /// @param out the first query's row, whose elements are `bf16` or F32
  /// @param outStride the bytes from row to row
  public void divide(long sums, int c, long out, long outStride, boolean bf16) {
    int bound = c - c % COUNT;
    for (int i = 0; i < queries; i++) {
      long row = sums + 4L * i * c;
      long target = out + i * outStride;
      float factor = 1 / ALL.get(FLOAT, totals + 4L * i);
      for (int j = 0; j < bound; j += COUNT) {
        var y = floats(row + 4L * j).mul(factor);
        if (bf16) {
          Lanes.storeShorts(Lanes.toBf16(y), target + 2L * j);
        } else {
          Lanes.store(y, target + 4L * j);
        }
      }
      for (int j = bound; j < c; j++) {
        float y = ALL.get(FLOAT, row + 4L * j) * factor;
        if (bf16) {
          ALL.set(Elements.SHORT, target + 2L * j, Elements.floatToBf16(y));
        } else {
          ALL.set(FLOAT, target + 4L * j, y);
        }
      }
    }
  }
}
