package io.gatun.tensor.kernel;

import static io.gatun.tensor.kernel.Blocks32.f16;
import static io.gatun.tensor.kernel.Elements.BYTE;
import static io.gatun.tensor.kernel.Elements.FLOAT;

import io.gatun.tensor.DType;
import java.lang.foreign.MemorySegment;

/// Where the scales and integers of a [DType.Tiled] matrix (N, K) are, and how to read them: the
/// reference for the fast kernels.
///
/// Tiles follow each other along the columns of 32 rows, then the next 32 rows.
public final class TiledLayout {
  private TiledLayout() {}

  /// The element of one row and column.
  public static float get(
      DType.Tiled type, MemorySegment src, long columns, long row, long column) {
    long tile = tileOffset(type, columns, row, column / type.groupSize());
    return f16(src, tile + lane(row) * 2) * integer(type, src, tile, lane(row), column);
  }

  /// Rows `fromRow` (inclusive) to `toRow` (exclusive) to F32, row-major, without gaps.
  public static void toFloat(
      DType.Tiled type,
      MemorySegment src,
      long columns,
      long fromRow,
      long toRow,
      MemorySegment dst,
      long dstByteOffset) {
    for (long row = fromRow; row < toRow; row++) {
      for (long k = 0; k < columns; k++, dstByteOffset += 4) {
        dst.set(FLOAT, dstByteOffset, get(type, src, columns, row, k));
      }
    }
  }

  /// The byte offset of the tile that holds `row` and the columns of `group`.
  static long tileOffset(DType.Tiled type, long columns, long row, long group) {
    long tile = row / DType.Tiled.ROWS * (columns / type.groupSize()) + group;
    return tile * DType.Tiled.ROWS * type.blockBytes();
  }

  /// The lane of a tile that holds `row`: row i is lane 2i, row 16+i lane 2i+1.
  static int lane(long row) {
    int r = (int) (row % DType.Tiled.ROWS);
    return r < 16 ? 2 * r : 2 * (r - 16) + 1;
  }

  /// The byte, and for 4 bits the half of it, where a column's integer of one lane is.
  static long byteOffset(DType.Tiled type, long tile, int lane, long column) {
    long words = tile + DType.Tiled.ROWS * 2;
    int inGroup = (int) (column % type.groupSize());
    int perWord = 16 / type.bits();
    long word = words + (inGroup / perWord * DType.Tiled.ROWS + lane) * 2L;
    return word + inGroup % perWord * type.bits() / 8;
  }

  private static int integer(
      DType.Tiled type, MemorySegment src, long tile, int lane, long column) {
    int bits = src.get(BYTE, byteOffset(type, tile, lane, column));
    return type.bits() == 8 ? bits : (bits >> (column % 2 * 4) & 0xF) - 8;
  }
}
