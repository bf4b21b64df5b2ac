package io.gatun.tensor.ops;

import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.context.Context;
import java.lang.foreign.MemorySegment;

/// Both tables of relative positions as one (positions, C), each from its last row to its first:
/// then the products of a query with what lies at its keys, in the order of the keys, are
/// neighbours.
final class RelativeTable {
  private final AttentionBias.RelativePositions bias;
  private final int c;
  private final MemorySegment rows;
  private final MemorySegment transposed;

  RelativeTable(Context ctx, AttentionBias.RelativePositions bias) {
    this.bias = bias;
    c = Math.toIntExact(bias.height().dim(1));
    rows = ctx.workspace().take(4L * positions() * c);
    transposed = ctx.workspace().take(4L * positions() * c);
    int heights = 2 * bias.gridHeight() - 1;
    for (int i = 0; i < positions(); i++) {
      var source = (i < heights ? bias.height() : bias.width()).segment();
      int row = i < heights ? heights - 1 - i : positions() - 1 - i;
      for (int j = 0; j < c; j++) {
        float value = Floats.get(source, 0, (long) row * c + j);
        Floats.set(rows, 0, (long) i * c + j, value);
        Floats.set(transposed, 0, (long) j * positions() + i, value);
      }
    }
  }

  /// Rows of the table.
  int positions() {
    return 2 * bias.gridHeight() + 2 * bias.gridWidth() - 2;
  }

  /// The distance between rows of products, in floats, with room to read a vector too far.
  int stride() {
    return Math.ceilDiv(positions(), 16) * 16 + 16;
  }

  /// (positions, C) F32.
  MemorySegment rows() {
    return rows;
  }

  /// (C, positions) F32.
  MemorySegment transposed() {
    return transposed;
  }

  int gridHeight() {
    return bias.gridHeight();
  }

  int gridWidth() {
    return bias.gridWidth();
  }
}
