package io.gatun.tensor.kernel;

import static io.gatun.tensor.kernel.Species.FLOAT;
import static io.gatun.tensor.kernel.Species.SHORT;

import io.gatun.tensor.DType.Tiled;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The products of tiled weights and quantized activations in plain loops: what the vector kernels
/// must agree with.
public final class ScalarTiled {
  private ScalarTiled() {}

  /// `y[m][n] = sum over k of w[n][k] * q[m][k]`, for the rows n of tiles `from` to `to`.
  ///
  /// @param type how `w` is stored; its doc gives the layout
  /// @param q `count` rows of [QuantizedRows] from byte `qAt`
  /// @param columns K, a multiple of the group size
  /// @param y `count` rows of F32, `yStride` bytes apart; whole tiles are written
  public static void multiply(
      Tiled type,
      MemorySegment w,
      long wAt,
      MemorySegment q,
      long qAt,
      int count,
      int columns,
      int from,
      int to,
      MemorySegment y,
      long yAt,
      long yStride) {
    long rowBytes = QuantizedRows.rowBytes(columns);
    for (int m = 0; m < count; m++) {
      for (int row = from * Tiled.ROWS; row < to * Tiled.ROWS; row++) {
        float sum = dot(type, w, wAt, q, qAt + m * rowBytes, columns, row);
        y.set(FLOAT, yAt + m * yStride + row * 4L, sum);
      }
    }
  }

  private static float dot(
      Tiled type, MemorySegment w, long wAt, MemorySegment q, long qAt, int columns, int row) {
    int group = type.groupSize();
    long block = (long) type.blockBytes() * Tiled.ROWS;
    int inTile = row % Tiled.ROWS;
    int lane = inTile < 16 ? 2 * inTile : 2 * (inTile - 16) + 1;
    float sum = 0;
    for (int k = 0; k < columns; k += QuantizedRows.GROUP) {
      long tile = wAt + ((long) (row / Tiled.ROWS) * (columns / group) + k / group) * block;
      long x = qAt + (long) k / QuantizedRows.GROUP * QuantizedRows.BLOCK_BYTES;
      int dot = 0;
      for (int i = 0; i < QuantizedRows.GROUP; i++) {
        dot += integer(type.bits(), w, tile, k % group + i, lane) * QuantizedRows.get(q, x, i, type.bits());
      }
      float scale = Float.float16ToFloat(w.get(SHORT, tile + lane * 2));
      sum += dot * (scale * q.get(FLOAT, x + QuantizedRows.SCALE));
    }
    return sum;
  }

  private static int integer(int bits, MemorySegment w, long tile, int k, int lane) {
    int perWord = 16 / bits;
    long word = tile + 2 * Tiled.ROWS + (k / perWord * Tiled.ROWS + lane) * 2L;
    return bits == 4
        ? (w.get(SHORT, word) >> k % 4 * 4 & 15) - 8
        : w.get(ValueLayout.JAVA_BYTE, word + k % 2);
  }
}
