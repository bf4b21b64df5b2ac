package io.gatun.tensor.kernel.tiled;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.SHORT;

import io.gatun.tensor.DType.Tiled;
import io.gatun.tensor.kernel.dense.Lanes;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/// Single rows of [Tiled] matrices as F32, with the same results as [TiledLayout#toFloat] bit for
/// bit.
///
/// A row's words are 64 bytes apart, so they are read one by one, without vectors: smaller ones
/// than other kernels have would make these box theirs.
public final class TiledRows {
  /// Bytes from a row's word to its next.
  private static final int STEP = TiledLayout.SCALES_BYTES;

  private TiledRows() {}

  /// Writes rows `fromRow` (inclusive) to `toRow` (exclusive), row-major, without gaps.
  ///
  /// @param src the matrix, of `columns` columns
  /// @throws IndexOutOfBoundsException if a segment is too small
  /// @throws IllegalArgumentException if a segment is on the heap
  public static void toFloat(
      Tiled type,
      MemorySegment src,
      long columns,
      long fromRow,
      long toRow,
      MemorySegment dst,
      long dstByteOffset) {
    int size = type.blockSize();
    long tileBytes = (long) Tiled.ROWS * type.blockBytes();
    long to = address(dst, dstByteOffset, (toRow - fromRow) * columns * 4);
    for (long row = fromRow; row < toRow; row++) {
      long offset = TiledLayout.tileOffset(type, columns, row, 0);
      long tile = address(src, offset, columns / size * tileBytes) + 2L * TiledLayout.lane(row);
      for (long k = 0; k < columns; k += size, tile += tileBytes, to += 4L * size) {
        if (type.minima()) {
          withMinima(type, tile, to);
        } else if (type.hasLevels()) {
          withLevels(type, tile, to);
        } else if (type.bits() == 4) {
          int4(tile + STEP, size, Lanes.f16(tile), -8, 0, to);
        } else {
          int8(tile + STEP, size, Lanes.f16(tile), to);
        }
      }
    }
    Reference.reachabilityFence(src);
    Reference.reachabilityFence(dst);
  }

  private static void withMinima(Tiled type, long tile, long to) {
    float d = Lanes.f16(tile);
    float m = Lanes.f16(tile + STEP);
    for (int group = 0; group < 8; group++) {
      long pair = TiledLayout.group(type, tile, group);
      float scale = d * (ALL.get(BYTE, pair) & 0xFF);
      float min = m * (ALL.get(BYTE, pair + 1) & 0xFF);
      int4(pair + STEP, 32, scale, 0, min, to + group * 128L);
    }
  }

  private static void withLevels(Tiled type, long tile, long to) {
    var form = type.form();
    float d = Lanes.f16(tile) * form.factor();
    for (int half = 0; half < 16; half++, to += 64) {
      long pair = TiledLayout.group(type, tile, half / 2);
      float scale = d * ALL.get(BYTE, pair + half % 2);
      long word = pair + STEP * (1L + half % 2 * 4);
      for (int k = 0; k < 16; k += 4, word += STEP) {
        int nibbles = ALL.get(SHORT, word & IN_BOUNDS);
        ALL.set(FLOAT, to + 4 * k & IN_BOUNDS, scale * form.level(nibbles & 15));
        ALL.set(FLOAT, to + 4 * k + 4 & IN_BOUNDS, scale * form.level(nibbles >> 4 & 15));
        ALL.set(FLOAT, to + 4 * k + 8 & IN_BOUNDS, scale * form.level(nibbles >> 8 & 15));
        ALL.set(FLOAT, to + 4 * k + 12 & IN_BOUNDS, scale * form.level(nibbles >> 12 & 15));
      }
    }
  }

  /// `scale * (nibble + offset) - min` of `n` columns.
  private static void int4(long word, int n, float scale, int offset, float min, long to) {
    for (int k = 0; k < n; k += 4, word += STEP, to += 16) {
      int nibbles = ALL.get(SHORT, word & IN_BOUNDS);
      ALL.set(FLOAT, to & IN_BOUNDS, scale * ((nibbles & 15) + offset) - min);
      ALL.set(FLOAT, to + 4 & IN_BOUNDS, scale * ((nibbles >> 4 & 15) + offset) - min);
      ALL.set(FLOAT, to + 8 & IN_BOUNDS, scale * ((nibbles >> 8 & 15) + offset) - min);
      ALL.set(FLOAT, to + 12 & IN_BOUNDS, scale * ((nibbles >> 12 & 15) + offset) - min);
    }
  }

  /// `scale * byte` of `n` columns.
  private static void int8(long word, int n, float scale, long to) {
    for (int k = 0; k < n; k += 2, word += STEP, to += 8) {
      int bytes = ALL.get(SHORT, word & IN_BOUNDS);
      ALL.set(FLOAT, to & IN_BOUNDS, scale * (byte) bytes);
      ALL.set(FLOAT, to + 4 & IN_BOUNDS, scale * (bytes >> 8));
    }
  }
}
