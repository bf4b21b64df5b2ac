package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.floats;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;

import io.gatun.tensor.kernel.scalar.Floats;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;
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
/// @param window what is added to the first query's scores, for the keys from the first on; the
///   next query's begins one entry before that. 0 for nothing
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
    long window,
    long positionStride,
    int gridHeight,
    int gridWidth,
    long references,
    long totals) {
  /// How far before the products the weights begin: so far that a whole vector of weights
  /// overwrites no product that is still to be read.
  public static final int GAP = 64;

  /// What is added to the score of a key that is out of sight: enough for the least weight there
  /// is.
  public static final float UNSEEN = -1e30f;

  /// Totals beyond this may have overflowed.
  public static final float GREATEST_TOTAL = 1e29f;

  /// Columns that [#sample] looks at, at the least, where there are as many.
  private static final int SAMPLE = 64;

  // Weights stay within e^-70 and e^70: the least are nothing beside the others, and no denormal
  // number comes of them, which takes a processor a hundred times as long.
  private static final float LIMIT = 70;

  /// Sets the references to the greatest of the first scores of each row.
  public void sample() {
    for (int i = 0; i < queries; i++) {
      ALL.set(FLOAT, references + 4L * i, greatest(i, SAMPLE));
    }
  }

  /// Raises the references to the greatest score of each row.
  public void greatest() {
    for (int i = 0; i < queries; i++) {
      long at = references + 4L * i;
      ALL.set(FLOAT, at, Math.max(greatest(i, keys), ALL.get(FLOAT, at)));
    }
  }

  private float greatest(int i, int limit) {
    int visible = visible(i);
    if (visible == 0) {
      return Float.NEGATIVE_INFINITY;
    }
    int columns = columns(visible);
    int enough = gridHeight == 0 ? Math.min(columns, limit) : columns;
    int rows = Math.min(visible / columns, Math.ceilDiv(limit, columns));
    return greatest(products + i * stride, rows, columns, enough, heights(i), widths(i), scale);
  }

  /// Turns products into weights `e^(score - reference)`, adds them to the totals, which the first
  /// keys begin, and gives keys that a query does not see the weight 0.
  ///
  /// @param bf16 whether the weights are stored as BF16; then they are within 7e-4 of their size
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
                ? Bf16Weights.of(
                    row, row - GAP, rows, columns, heights(i), widths(i), scale, reference)
                : floatWeights(row, rows, columns, heights(i), widths(i), scale, reference);
        float sum = firstKey == 0 ? total : ALL.get(FLOAT, at) + total;
        // Where a score is NaN, so is the reference to the greatest of all, and then the result.
        ALL.set(FLOAT, at, sum + 0 * reference);
      }
      if (bf16) {
        int end = (keys + 31) & -32;
        for (int j = visible; j < end; j += 2 * COUNT) {
          Lanes.store(ShortVector.zero(Lanes.WORDS), row - GAP + 2L * j);
        }
      } else {
        for (int j = visible; j < keys; j++) {
          ALL.set(FLOAT, row - GAP + 4L * j, 0);
        }
      }
    }
  }

  /// Makes a row of scores weights `exp(score - reference)` in BF16, which are within 7e-4 of their
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
    float sum = Bf16Weights.of(from, n, reference, to);
    Reference.reachabilityFence(scores);
    Reference.reachabilityFence(weights);
    return sum;
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
        ? window == 0 ? positions : window - 4L * i
        : positions
            + i * positionStride
            + 4L * (2 * gridHeight - 1 + gridWidth - 1 - query % gridWidth);
  }

  /// The greatest of the first `enough` scores of each of `rows` rows of `columns`.
  private static float greatest(
      long products, int rows, int columns, int enough, long heights, long widths, float scale) {
    // The last vector may begin inside the one before; a shorter row has its lanes alone.
    int last = Math.max(0, enough - COUNT);
    var lanes = FLOATS.indexInRange(0, enough);
    var factor = FloatVector.broadcast(FLOATS, scale);
    var max = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
    for (int m = 0; m < rows; m++) {
      long row = products + 4L * m * columns;
      float height = ALL.get(FLOAT, heights + 4L * m);
      for (int n = 0; n < enough; n += COUNT) {
        long j = Math.min(n, last);
        var x = floats(row + 4 * j).fma(factor, floats(widths + 4 * j)).add(height);
        max = max.lanewise(VectorOperators.MAX, x, lanes);
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

  /// x, but within -limit and limit, and limit for NaN: by integers, since the minimum of floats as
  /// Java defines it takes six instructions.
  private static FloatVector clamp(FloatVector x, float limit) {
    return x.reinterpretAsInts()
        .lanewise(VectorOperators.MIN, Float.floatToRawIntBits(limit))
        .lanewise(VectorOperators.UMIN, Float.floatToRawIntBits(-limit))
        .reinterpretAsFloats();
  }

  /// Divides rows of sums by the totals and stores them.
  ///
  /// @param sums F32 (queries, c)
  /// @param sumStride the bytes from row to row of them
  /// @param out the first query's row, whose elements are `bf16` or F32
  /// @param outStride the bytes from row to row
  public void divide(long sums, long sumStride, int c, long out, long outStride, boolean bf16) {
    for (int i = 0; i < queries; i++) {
      long row = sums + i * sumStride;
      long target = out + i * outStride;
      float factor = 1 / ALL.get(FLOAT, totals + 4L * i);
      if (c < COUNT) {
        divideEach(row, c, factor, target, bf16);
      }
      for (int n = 0; n < c && c >= COUNT; n += COUNT) {
        int j = Math.min(n, c - COUNT); // the last vector may begin inside the one before
        var y = floats(row + 4L * j).mul(factor);
        if (bf16) {
          Lanes.storeShorts(Lanes.toBf16(y), target + 2L * j);
        } else {
          Lanes.store(y, target + 4L * j);
        }
      }
    }
  }

  private static void divideEach(long row, int c, float factor, long target, boolean bf16) {
    for (int j = 0; j < c; j++) {
      float y = ALL.get(FLOAT, row + 4L * j) * factor;
      if (bf16) {
        ALL.set(Floats.SHORT, target + 2L * j, Floats.floatToBf16(y));
      } else {
        ALL.set(FLOAT, target + 4L * j, y);
      }
    }
  }
}
