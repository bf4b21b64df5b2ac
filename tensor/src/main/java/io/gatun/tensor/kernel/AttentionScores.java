package io.gatun.tensor.kernel;

import static io.gatun.ffm.RawMemory.ALL;
import static io.gatun.tensor.kernel.Elements.FLOAT;
import static io.gatun.tensor.kernel.Lanes.COUNT;
import static io.gatun.tensor.kernel.Lanes.FLOATS;
import static io.gatun.tensor.kernel.Lanes.floats;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/// The softmax of attention on a block of scores (queries, keys), with decomposed relative
/// positions: the score of key (m, n) of a grid is `product * scale + height[m] + width[n]`.
///
/// Everything is F32 in native memory and given by its address, which whoever calls has checked. The
/// weights of a row lie side by side from [#GAP] bytes before its products on and take their place.
/// Up to a vector beyond the end of a row of products and positions is read, and its values are
/// ignored; as much beyond the end of the weights is overwritten.
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
        float total =
            weights(
                row, visible / columns, columns, heights(i), widths(i), scale, reference, bf16);
        ALL.set(FLOAT, at, ALL.get(FLOAT, at) + total);
      }
      int bytes = bf16 ? 2 : 4;
      int end = bf16 ? (keys + 31) & -32 : keys;
      for (int j = visible; j < end; j++) {
        if (bf16) {
          ALL.set(Elements.SHORT, row - GAP + (long) bytes * j, (short) 0);
        } else {
          ALL.set(FLOAT, row - GAP + (long) bytes * j, 0);
        }
      }
    }
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
  private static float weights(
      long products,
      int rows,
      int columns,
      long heights,
      long widths,
      float scale,
      float reference,
      boolean bf16) {
    int bound = columns - columns % COUNT;
    VectorMask<Float> tail = FLOATS.indexInRange(bound, columns);
    var factor = FloatVector.broadcast(FLOATS, scale);
    var sum = FloatVector.zero(FLOATS);
    int shift = bf16 ? 1 : 2;
    var last = floats(widths + 4L * bound);
    for (int m = 0; m < rows; m++) {
      long row = products + 4L * m * columns;
      long target = products - GAP + ((long) m * columns << shift);
      float height = ALL.get(FLOAT, heights + 4L * m) - reference;
      var base = FloatVector.broadcast(FLOATS, bf16 ? height * LOG2_E : height);
      for (int n = 0; n < bound; n += COUNT) {
        var x = floats(row + 4L * n).fma(factor, floats(widths + 4L * n));
        sum = sum.add(weight(x, base, target + ((long) n << shift), bf16));
      }
      if (bound < columns) {
        var x = floats(row + 4L * bound).fma(factor, last);
        sum = sum.add(weight(x, base, target + ((long) bound << shift), bf16), tail);
      }
    }
    return Lanes.sum(sum);
  }

  /// Stores and returns `e^(x + base)`, or for BF16 `e^x 2^base`.
  private static FloatVector weight(FloatVector x, FloatVector base, long address, boolean bf16) {
    if (!bf16) {
      var e = VectorMath.exp(x.add(base).max(-LIMIT).min(LIMIT));
      Lanes.store(e, address);
      return e;
    }
    var y = x.fma(FloatVector.broadcast(FLOATS, LOG2_E), base).max(-LIMIT2).min(LIMIT2);
    var shifted = y.add(ROUND);
    var r = y.sub(shifted.sub(ROUND));
    // 2^r by the cubic whose greatest error on |r| <= 1/2, relative to 2^r, is least.
    var p =
        r.fma(
            FloatVector.broadcast(FLOATS, 0.0551716f), FloatVector.broadcast(FLOATS, 0.24261113f));
    p = p.fma(r, FloatVector.broadcast(FLOATS, 0.69326099f));
    p = p.fma(r, FloatVector.broadcast(FLOATS, 0.99992807f));
    var bits =
        p.reinterpretAsInts().add(shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23));
    // Rounded to nearest, ties up.
    Lanes.storeShorts(bits.add(0x8000).lanewise(VectorOperators.LSHR, 16), address);
    return bits.reinterpretAsFloats();
  }
}
