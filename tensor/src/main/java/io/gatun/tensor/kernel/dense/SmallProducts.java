package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.INTS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.ORDER;
import static io.gatun.tensor.kernel.dense.Lanes.SHORTS;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.INT;
import static io.gatun.tensor.kernel.scalar.Floats.SHORT;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/// Products of F32 matrices so small that the call of a library would take as long, as attention to
/// a text's tokens makes them: `out (m, n) = a (m, depth) b`.
///
/// Everything is in native memory and given by its address, which whoever calls has checked;
/// strides are in bytes. Results are made in tiles of [#ROWS] by [#COLUMNS]: up to a tile beyond
/// the last row and column is written, and as many rows of `a` and columns of `b` are read.
public final class SmallProducts {
  /// Rows of a tile.
  public static final int ROWS = 6;

  /// Columns of a tile.
  public static final int COLUMNS = 2 * COUNT;

  private static final int PANEL_BYTES = 4 * COLUMNS;

  private SmallProducts() {}

  /// The columns that a result of `n` columns takes.
  public static int columns(int n) {
    return Math.ceilDiv(n, COLUMNS) * COLUMNS;
  }

  /// Fills `out`, or adds to it.
  ///
  /// @param bPanel from the first [#COLUMNS] columns of b to the next
  /// @param bStride from row to row of b, within these columns
  public static void multiply(
      long a,
      long aStride,
      long b,
      long bPanel,
      long bStride,
      int depth,
      long out,
      long outStride,
      int m,
      int n,
      boolean accumulate) {
    for (int j = 0; j < n; j += COLUMNS) {
      long panel = b + j / COLUMNS * bPanel;
      for (int i = 0; i < m; i += ROWS) {
        tile(
            a + i * aStride,
            aStride,
            panel,
            bStride,
            depth,
            out + i * outStride + 4L * j,
            outStride,
            accumulate);
      }
    }
  }

  private static void tile(
      long a,
      long aStride,
      long b,
      long bStride,
      int depth,
      long out,
      long outStride,
      boolean accumulate) {
    var c00 = FloatVector.zero(FLOATS);
    var c01 = FloatVector.zero(FLOATS);
    var c10 = FloatVector.zero(FLOATS);
    var c11 = FloatVector.zero(FLOATS);
    var c20 = FloatVector.zero(FLOATS);
    var c21 = FloatVector.zero(FLOATS);
    var c30 = FloatVector.zero(FLOATS);
    var c31 = FloatVector.zero(FLOATS);
    var c40 = FloatVector.zero(FLOATS);
    var c41 = FloatVector.zero(FLOATS);
    var c50 = FloatVector.zero(FLOATS);
    var c51 = FloatVector.zero(FLOATS);
    if (accumulate) {
      c00 = FloatVector.fromMemorySegment(FLOATS, ALL, out & IN_BOUNDS, ORDER);
      c01 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 4L * COUNT & IN_BOUNDS, ORDER);
      c10 = FloatVector.fromMemorySegment(FLOATS, ALL, out + outStride & IN_BOUNDS, ORDER);
      c11 =
          FloatVector.fromMemorySegment(
              FLOATS, ALL, out + outStride + 4L * COUNT & IN_BOUNDS, ORDER);
      c20 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 2 * outStride & IN_BOUNDS, ORDER);
      c21 =
          FloatVector.fromMemorySegment(
              FLOATS, ALL, out + 2 * outStride + 4L * COUNT & IN_BOUNDS, ORDER);
      c30 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 3 * outStride & IN_BOUNDS, ORDER);
      c31 =
          FloatVector.fromMemorySegment(
              FLOATS, ALL, out + 3 * outStride + 4L * COUNT & IN_BOUNDS, ORDER);
      c40 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 4 * outStride & IN_BOUNDS, ORDER);
      c41 =
          FloatVector.fromMemorySegment(
              FLOATS, ALL, out + 4 * outStride + 4L * COUNT & IN_BOUNDS, ORDER);
      c50 = FloatVector.fromMemorySegment(FLOATS, ALL, out + 5 * outStride & IN_BOUNDS, ORDER);
      c51 =
          FloatVector.fromMemorySegment(
              FLOATS, ALL, out + 5 * outStride + 4L * COUNT & IN_BOUNDS, ORDER);
    }
    for (int k = 0; k < depth; k++) {
      long row = b + k * bStride;
      var b0 = FloatVector.fromMemorySegment(FLOATS, ALL, row & IN_BOUNDS, ORDER);
      var b1 = FloatVector.fromMemorySegment(FLOATS, ALL, row + 4L * COUNT & IN_BOUNDS, ORDER);
      long at = a + 4L * k;
      var x = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, at & IN_BOUNDS));
      c00 = x.fma(b0, c00);
      c01 = x.fma(b1, c01);
      x = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, at + aStride & IN_BOUNDS));
      c10 = x.fma(b0, c10);
      c11 = x.fma(b1, c11);
      x = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, at + 2 * aStride & IN_BOUNDS));
      c20 = x.fma(b0, c20);
      c21 = x.fma(b1, c21);
      x = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, at + 3 * aStride & IN_BOUNDS));
      c30 = x.fma(b0, c30);
      c31 = x.fma(b1, c31);
      x = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, at + 4 * aStride & IN_BOUNDS));
      c40 = x.fma(b0, c40);
      c41 = x.fma(b1, c41);
      x = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, at + 5 * aStride & IN_BOUNDS));
      c50 = x.fma(b0, c50);
      c51 = x.fma(b1, c51);
    }
    c00.intoMemorySegment(ALL, out & IN_BOUNDS, ORDER);
    c01.intoMemorySegment(ALL, out + 4L * COUNT & IN_BOUNDS, ORDER);
    c10.intoMemorySegment(ALL, out + outStride & IN_BOUNDS, ORDER);
    c11.intoMemorySegment(ALL, out + outStride + 4L * COUNT & IN_BOUNDS, ORDER);
    c20.intoMemorySegment(ALL, out + 2 * outStride & IN_BOUNDS, ORDER);
    c21.intoMemorySegment(ALL, out + 2 * outStride + 4L * COUNT & IN_BOUNDS, ORDER);
    c30.intoMemorySegment(ALL, out + 3 * outStride & IN_BOUNDS, ORDER);
    c31.intoMemorySegment(ALL, out + 3 * outStride + 4L * COUNT & IN_BOUNDS, ORDER);
    c40.intoMemorySegment(ALL, out + 4 * outStride & IN_BOUNDS, ORDER);
    c41.intoMemorySegment(ALL, out + 4 * outStride + 4L * COUNT & IN_BOUNDS, ORDER);
    c50.intoMemorySegment(ALL, out + 5 * outStride & IN_BOUNDS, ORDER);
    c51.intoMemorySegment(ALL, out + 5 * outStride + 4L * COUNT & IN_BOUNDS, ORDER);
  }

  /// Copies rows of `c` elements, BF16 or F32, to F32.
  public static void copy(
      long from, long fromStride, boolean bf16, int rows, int c, long to, long toStride) {
    int bound = c / COUNT * COUNT;
    for (int i = 0; i < rows; i++) {
      long x = from + i * fromStride;
      long y = to + i * toStride;
      for (int j = 0; j < bound; j += COUNT) {
        if (bf16) {
          ((IntVector)
                  ShortVector.fromMemorySegment(SHORTS, ALL, x + 2L * j & IN_BOUNDS, ORDER)
                      .convertShape(VectorOperators.S2I, INTS, 0))
              .lanewise(VectorOperators.LSHL, 16)
              .reinterpretAsFloats()
              .intoMemorySegment(ALL, y + 4L * j & IN_BOUNDS, ORDER);
        } else {
          FloatVector.fromMemorySegment(FLOATS, ALL, x + 4L * j & IN_BOUNDS, ORDER)
              .intoMemorySegment(ALL, y + 4L * j & IN_BOUNDS, ORDER);
        }
      }
      for (int j = bound; j < c; j++) {
        ALL.set(INT, y + 4L * j & IN_BOUNDS, bits(x, bf16, j));
      }
    }
  }

  /// Copies rows of `c` elements, BF16 or F32, to the columns of panels: in one after the other,
  /// (c, [#COLUMNS]) F32. Columns of the last one that have no row are 0.
  public static void transpose(
      long from, long fromStride, boolean bf16, int rows, int c, long panels) {
    for (int i = 0; i < columns(rows); i++) {
      long x = from + i * fromStride;
      long y = panels + (long) i / COLUMNS * c * PANEL_BYTES + 4L * (i % COLUMNS);
      for (int j = 0; j < c; j++) {
        ALL.set(INT, y + (long) j * PANEL_BYTES & IN_BOUNDS, i < rows ? bits(x, bf16, j) : 0);
      }
    }
  }

  private static int bits(long row, boolean bf16, int j) {
    return bf16
        ? ALL.get(SHORT, row + 2L * j & IN_BOUNDS) << 16
        : ALL.get(INT, row + 4L * j & IN_BOUNDS);
  }
}
