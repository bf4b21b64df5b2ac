package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.ORDER;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/// The softmax of attention on a block of scores (rows, keys), where each query has one or several
/// rows: the heads that share keys.
///
/// A query sees the keys from `before` ahead of its own to `after` behind it. With decomposed
/// relative positions it sees all, and the score of key (m, n) of a grid is `product * scale +
/// height[m] + width[n]`.
///
/// Everything is F32 in native memory and given by its address, which whoever calls has checked.
/// The weights of a row lie side by side from [#GAP] bytes before its products on and take their
/// place. Up to a vector beyond the end of a row of products and positions is read, and its values
/// are ignored; as much beyond the end of the weights is overwritten.
///
/// @param products of queries and keys
/// @param stride the bytes from row to row
/// @param rows of all queries
/// @param rowsPerQuery how many neighbours are of one query
/// @param firstQuery the index of the first row's query
/// @param keys the columns
/// @param firstKey the index of the first column's key
/// @param scale of the products
/// @param positions products of each query with the rows of the two tables of relative positions,
///   each table from its last row to its first; 0 for none
/// @param positionStride the bytes from row to row of positions
/// @param gridHeight the grid's rows
/// @param gridWidth the grid's columns; keys are whole rows of the grid
/// @param references what is subtracted from each row's scores
/// @param totals the sums of each row's weights
public record AttentionScores(
    long products,
    long stride,
    int rows,
    int rowsPerQuery,
    int firstQuery,
    int keys,
    int firstKey,
    int before,
    int after,
    float scale,
    long positions,
    long positionStride,
    int gridHeight,
    int gridWidth,
    long references,
    long totals) {
  /// How far before the products the weights begin: so far that a whole vector of weights
  /// overwrites no product that is still to be read.
  public static final int GAP = 64;

  /// The most keys of a block without relative positions.
  public static final int MAX_KEYS = 1024;

  /// Totals beyond this may have overflowed.
  public static final float GREATEST_TOTAL = 1e29f;

  /// Weights as BF16 are followed by zeros up to a multiple of it.
  public static final int BF16_UNIT = 64;

  /// Columns that [#sample] looks at, at the least, where there are as many.
  private static final int SAMPLE = 64;

  /// What is added to scores where there are no positions.
  private static final MemorySegment ZEROS = Arena.global().allocate(4 * (MAX_KEYS + 64), 64);

  /// Nothing is known of any row.
  public void begin() {
    for (int i = 0; i < rows; i++) {
      ALL.set(FLOAT, references + 4L * i, Float.NEGATIVE_INFINITY);
      ALL.set(FLOAT, totals + 4L * i, 0);
    }
  }

  /// Sets the references of rows that have none to the greatest of their first scores.
  public void sample() {
    for (int i = 0; i < rows; i++) {
      long at = references + 4L * i;
      if (ALL.get(FLOAT, at) == Float.NEGATIVE_INFINITY) {
        ALL.set(FLOAT, at, greatest(i, SAMPLE));
      }
    }
  }

  /// Raises the references to the greatest score of each row.
  public void greatest() {
    for (int i = 0; i < rows; i++) {
      long at = references + 4L * i;
      ALL.set(FLOAT, at, Math.max(greatest(i, keys), ALL.get(FLOAT, at)));
    }
  }

  private float greatest(int i, int limit) {
    int query = query(i);
    int end = end(query);
    int begin = begin(query, end);
    int visible = end - begin;
    if (visible == 0) {
      return Float.NEGATIVE_INFINITY;
    }
    int columns = columns(visible);
    int enough = positions == 0 ? Math.min(columns, limit) : columns;
    int lines = Math.min(visible / columns, Math.ceilDiv(limit, columns));
    long row = products + i * stride + 4L * begin;
    long heights = heights(i, query);
    long widths = widths(i, query);
    return FirstCalls.isServed()
        ? FirstAttention.greatest(row, lines, columns, enough, heights, widths, scale)
        : greatest(row, lines, columns, enough, heights, widths, scale);
  }

  /// Turns products into weights `e^(score - reference)`, adds them to the totals, and gives keys
  /// that a query does not see the weight 0.
  ///
  /// @param bf16 whether the weights are stored as BF16; then they are within 7e-4 of their size
  ///   before they are rounded, and the row is filled with zeros up to a multiple of [#BF16_UNIT]
  public void weights(boolean bf16) {
    int bytes = bf16 ? 2 : 4;
    int all = bf16 ? (keys + BF16_UNIT - 1) & -BF16_UNIT : keys;
    for (int i = 0, next; i < rows; i = next) {
      int query = query(i);
      int end = end(query);
      int begin = begin(query, end);
      next = positions == 0 ? sameKeys(i, begin, end) : i + 1;
      long from = products + i * stride;
      long to = from - GAP;
      fill(to, (long) bytes * begin, next - i);
      if (end > begin) {
        long first = from + 4L * begin;
        long target = to + (long) bytes * begin;
        int columns = columns(end - begin);
        int lines = (end - begin) / columns;
        long reference = references + 4L * i;
        long total = totals + 4L * i;
        if (bf16) {
          AttentionWeights.bf16(
              first,
              target,
              stride,
              next - i,
              lines,
              columns,
              heights(i, query),
              widths(i, query),
              scale,
              reference,
              total);
        } else if (FirstCalls.isServed()) {
          FirstAttention.weights(
              first,
              target,
              stride,
              next - i,
              lines,
              columns,
              heights(i, query),
              widths(i, query),
              scale,
              reference,
              total);
        } else {
          AttentionWeights.floats(
              first,
              target,
              stride,
              next - i,
              lines,
              columns,
              heights(i, query),
              widths(i, query),
              scale,
              reference,
              total);
        }
      }
      fill(to + (long) bytes * end, (long) bytes * (all - end), next - i);
    }
  }

  /// Zeros in so many bytes of each of `count` rows, and less than a vector beyond.
  private void fill(long from, long bytes, int count) {
    for (int i = 0; i < count; i++) {
      for (long at = 0; at < bytes; at += 4L * COUNT) {
        FloatVector.zero(FLOATS)
            .intoMemorySegment(ALL, (from + i * stride + at) & IN_BOUNDS, ORDER);
      }
    }
  }

  /// The row after those from `i` on that see the same columns.
  private int sameKeys(int i, int begin, int end) {
    int next = i + 1;
    while (next < rows) {
      int query = query(next);
      if (end(query) != end || begin(query, end) != begin) {
        break;
      }
      next++;
    }
    return next;
  }

  /// The first column that a query sees.
  private int begin(int query, int end) {
    return Math.clamp((long) query - before - firstKey, 0, end);
  }

  /// The column after the last that a query sees.
  private int end(int query) {
    return Math.clamp((long) query + after + 1 - firstKey, 0, keys);
  }

  private int query(int i) {
    return firstQuery + (rowsPerQuery == 1 ? i : i / rowsPerQuery);
  }

  private int columns(int visible) {
    return positions == 0 ? visible : gridWidth;
  }

  private long heights(int i, int query) {
    return positions == 0
        ? ZEROS.address()
        : positions
            + i * positionStride
            + 4L * (gridHeight - 1 - query / gridWidth + firstKey / gridWidth);
  }

  private long widths(int i, int query) {
    return positions == 0
        ? ZEROS.address()
        : positions
            + i * positionStride
            + 4L * (2 * gridHeight - 1 + gridWidth - 1 - query % gridWidth);
  }

  /// The greatest of the first `enough` scores of each of `rows` rows of `columns`.
  private static float greatest(
      long products, int rows, int columns, int enough, long heights, long widths, float scale) {
    // The last vector may begin inside the one before; a shorter row has its lanes alone.
    int last = Math.max(0, enough - COUNT);
    var beyond = FLOATS.indexInRange(0, enough).not();
    var factor = FloatVector.broadcast(FLOATS, scale);
    var max = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
    for (int m = 0; m < rows; m++) {
      long row = products + 4L * m * columns;
      float height = ALL.get(FLOAT, heights + 4L * m);
      for (int n = 0; n < enough; n += COUNT) {
        long j = Math.min(n, last);
        var x =
            FloatVector.fromMemorySegment(FLOATS, ALL, (row + 4 * j) & IN_BOUNDS, ORDER)
                .fma(
                    factor,
                    FloatVector.fromMemorySegment(FLOATS, ALL, (widths + 4 * j) & IN_BOUNDS, ORDER))
                .add(height);
        max = x.blend(Float.NEGATIVE_INFINITY, beyond).max(max);
      }
    }
    return max.reduceLanes(VectorOperators.MAX);
  }
}
