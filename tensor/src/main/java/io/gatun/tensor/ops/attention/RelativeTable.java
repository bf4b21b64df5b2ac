package io.gatun.tensor.ops.attention;

import io.gatun.tensor.kernel.dense.SmallProducts;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.RelativePositions;
import io.gatun.tensor.ops.context.Context;
import java.lang.foreign.MemorySegment;

/// Both tables of relative positions as one (positions, C), each from its last row to its first:
/// then the products of a query with what lies at its keys, in the order of the keys, are
/// neighbours.
final class RelativeTable {
  private final RelativePositions grid;
  private final MemorySegment rows;

  RelativeTable(Context ctx, RelativePositions grid) {
    this.grid = grid;
    int c = Math.toIntExact(grid.height().dim(1));
    rows = ctx.workspace().take(4L * positions() * c);
    int heights = 2 * grid.gridHeight() - 1;
    for (int i = 0; i < positions(); i++) {
      var source = (i < heights ? grid.height() : grid.width()).segment();
      int row = i < heights ? heights - 1 - i : positions() - 1 - i;
      for (int j = 0; j < c; j++) {
        Floats.set(rows, 0, (long) i * c + j, Floats.get(source, 0, (long) row * c + j));
      }
    }
  }

  /// Rows of the table.
  int positions() {
    return 2 * grid.gridHeight() + 2 * grid.gridWidth() - 2;
  }

  /// The distance between rows of products, in floats, with room to read a vector too far.
  int stride() {
    return SmallProducts.columns(positions()) + 16;
  }

  /// (positions, C) F32.
  MemorySegment rows() {
    return rows;
  }

  int gridHeight() {
    return grid.gridHeight();
  }

  int gridWidth() {
    return grid.gridWidth();
  }
}
