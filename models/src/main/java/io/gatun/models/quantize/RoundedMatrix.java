package io.gatun.models.quantize;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Packing;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The integers and scales of a matrix (N, K), as they are found.
final class RoundedMatrix implements Packing.Integers {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private final DType.Tiled type;
  private final long rows;
  private final int columns;
  private final int groups;
  private final MemorySegment integers;
  private final MemorySegment scales;

  /// @param arena where they are kept
  RoundedMatrix(DType.Tiled type, long rows, long columns, Arena arena) {
    this.type = type;
    this.rows = rows;
    this.columns = Math.toIntExact(columns);
    groups = this.columns / type.groupSize();
    integers = arena.allocate(rows * columns);
    scales = arena.allocate(rows * groups * Float.BYTES, 64);
  }

  void set(long row, int column, int q) {
    integers.set(ValueLayout.JAVA_BYTE, row * columns + column, (byte) q);
  }

  /// @param scale an F16
  void setScale(long row, int group, float scale) {
    scales.setAtIndex(FLOAT, row * groups + group, scale);
  }

  @Override
  public void read(int row, int count, byte[] out) {
    long at = (long) row * columns;
    MemorySegment.copy(integers, ValueLayout.JAVA_BYTE, at, out, 0, count * columns);
  }

  @Override
  public float scale(int row, int group) {
    return scales.getAtIndex(FLOAT, (long) row * groups + group);
  }

  /// The same in tiles.
  ///
  /// @param out where these are
  Tensor tiles(Workers workers, Arena out) {
    return Packing.tiles(workers, this, type, rows, columns, out);
  }

  /// Rows as F32, without gaps.
  static MemorySegment floats(Workers workers, Tensor w, Arena arena) {
    var floats = arena.allocate(w.size() * Float.BYTES, 64);
    var at = new long[1];
    Packing.convert(
        workers,
        w,
        DType.Plain.F32,
        piece -> {
          MemorySegment.copy(piece, 0, floats, at[0], piece.byteSize());
          at[0] += piece.byteSize();
        });
    return floats;
  }
}
