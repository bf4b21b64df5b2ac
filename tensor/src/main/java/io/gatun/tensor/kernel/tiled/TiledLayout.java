package io.gatun.tensor.kernel.tiled;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.LONG;
import static io.gatun.tensor.kernel.scalar.Floats.SHORT;
import static io.gatun.tensor.kernel.scalar.Floats.f16;

import io.gatun.tensor.DType;
import java.lang.foreign.MemorySegment;

/// Where the scales and integers of a [DType.Tiled] matrix (N, K) are, and how to read them: the
/// reference for the fast kernels.
///
/// Tiles follow each other along the columns of 32 rows, then the next 32 rows.
public final class TiledLayout {
  /// Bytes of a tile's 32 F16, or pairs of bytes, in lane order.
  static final int SCALES_BYTES = 2 * DType.Tiled.ROWS;

  /// Bytes of a tile with minima before its groups.
  static final int MINIMA_HEAD_BYTES = 2 * SCALES_BYTES;

  /// Bytes of 32 columns of a tile with minima or levels: pairs of bytes, and words.
  static final int PAIRS_GROUP_BYTES = SCALES_BYTES + 32 / 2 * DType.Tiled.ROWS;

  private TiledLayout() {}

  /// Bytes of a tile before its words, or before its first pairs of bytes.
  static int headBytes(DType.Tiled type) {
    return type.minima() ? MINIMA_HEAD_BYTES : SCALES_BYTES;
  }

  /// The element of one row and column.
  public static float get(
      DType.Tiled type, MemorySegment src, long columns, long row, long column) {
    long tile = tileOffset(type, columns, row, column / type.blockSize());
    int lane = lane(row);
    float d = f16(src, tile + lane * 2L);
    return value(type, src, tile, lane, (int) (column % type.blockSize()), d);
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
    int blockSize = type.blockSize();
    for (long row = fromRow; row < toRow; row++) {
      int lane = lane(row);
      for (long block = 0; block < columns / blockSize; block++) {
        long tile = tileOffset(type, columns, row, block);
        float d = f16(src, tile + lane * 2L);
        for (int k = 0; k < blockSize; k++, dstByteOffset += 4) {
          dst.set(FLOAT, dstByteOffset, value(type, src, tile, lane, k, d));
        }
      }
    }
  }

  /// Column `k` of a tile in one lane, whose scale is `d`.
  private static float value(
      DType.Tiled type, MemorySegment src, long tile, int lane, int k, float d) {
    if (type.form() == DType.Tiled.Form.PLAIN) {
      return d * integer(type, src, tile, lane, k);
    }
    long group = group(type, tile, k / 32);
    long pair = group + lane * 2L;
    int q = integer(type, src, group, lane, k % 32) + 8;
    if (type.hasLevels()) {
      return type.form().factor() * d * src.get(BYTE, pair + k / 16 % 2) * type.form().level(q);
    }
    float scale = d * (src.get(BYTE, pair) & 0xFF);
    float min = f16(src, tile + SCALES_BYTES + lane * 2L) * (src.get(BYTE, pair + 1) & 0xFF);
    return scale * q - min;
  }

  /// The offset of the pairs of 32 columns in a tile that has such.
  static long group(DType.Tiled type, long tile, int group) {
    return tile + headBytes(type) + (long) group * PAIRS_GROUP_BYTES;
  }

  /// The byte offset of the tile that holds `row` and the columns of `block`.
  static long tileOffset(DType.Tiled type, long columns, long row, long block) {
    long tile = row / DType.Tiled.ROWS * (columns / type.blockSize()) + block;
    return tile * DType.Tiled.ROWS * type.blockBytes();
  }

  /// The lane of a tile that holds `row`: row i is lane 2i, row 16+i lane 2i+1.
  static int lane(long row) {
    int r = (int) (row % DType.Tiled.ROWS);
    return r < 16 ? 2 * r : 2 * (r - 16) + 1;
  }

  /// Column `k` of a group's words in one lane, behind the scales at `tile`.
  private static int integer(DType.Tiled type, MemorySegment src, long tile, int lane, int k) {
    int bits = src.get(BYTE, byteOffset(type, tile, lane, k));
    return type.bits() == 8 ? bits : (bits >> (k % 2 * 4) & 0xF) - 8;
  }

  /// Stores the scale (F16 bits, or a pair of bytes) and the integers of a group's one lane.
  static void set(
      DType.Tiled type, MemorySegment dst, long tile, int lane, short scale, int[] integers) {
    long at = tile + lane * 2L;
    dst.set(SHORT, at, scale);
    if (type.bits() == 8) {
      for (int k = 0; k < integers.length; k += 2) {
        at += SCALES_BYTES;
        dst.set(SHORT, at, (short) (integers[k] & 0xFF | integers[k + 1] << 8));
      }
    } else {
      for (int k = 0; k < integers.length; k += 4) {
        at += SCALES_BYTES;
        int low = integers[k] + 8 | integers[k + 1] + 8 << 4;
        int high = integers[k + 2] + 8 | integers[k + 3] + 8 << 4;
        dst.set(SHORT, at, (short) (low | high << 8));
      }
    }
  }

  /// The byte that holds, for 4 bits as its low or high half, column `k` of a tile in one lane.
  private static long byteOffset(DType.Tiled type, long tile, int lane, int k) {
    int perWord = 16 / type.bits();
    long word = tile + DType.Tiled.ROWS * 2L + ((long) k / perWord * DType.Tiled.ROWS + lane) * 2;
    return word + k % perWord * type.bits() / 8;
  }

  /// Reads `bytes` bytes into the caches, all but the last lines, in the order of the memory, which
  /// it delivers fastest: kernels that also write much get half as much out of it.
  ///
  /// @param to address of eight bytes that may be overwritten
  static void fetch(long from, long bytes, long to) {
    int steps = (int) (bytes / 512);
    long all = 0;
    for (int i = 0; i < steps; i++) {
      long at = from + 512L * i & IN_BOUNDS;
      all ^= ALL.get(LONG, at) ^ ALL.get(LONG, at + 64);
      all ^= ALL.get(LONG, at + 128) ^ ALL.get(LONG, at + 192);
      all ^= ALL.get(LONG, at + 256) ^ ALL.get(LONG, at + 320);
      all ^= ALL.get(LONG, at + 384) ^ ALL.get(LONG, at + 448);
    }
    ALL.set(LONG, to & IN_BOUNDS, all);
  }
}
