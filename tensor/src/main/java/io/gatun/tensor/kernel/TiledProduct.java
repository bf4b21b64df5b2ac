package io.gatun.tensor.kernel;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.Elements.FLOAT;

import io.gatun.tensor.DType.Tiled;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/// Products of tiled weights (N, K) with rows of quantized activations, by the Vector API.
///
/// The unit of work is one vector of words: as many rows of a tile as the machine's vectors have
/// 16-bit lanes, the whole tile where they have 512 bits. Four such vectors share each activation,
/// or two vectors and two activation rows make four products. In chunks of 256 columns, [TiledInt4]
/// or [TiledInt8] make integer sums of the groups of 32 columns, and [TiledScales] adds them to the
/// result.
public final class TiledProduct {
  static final int VECTOR_BYTES = Lanes.WORDS.vectorByteSize();

  /// Bytes of a group's sums: two vectors for each of four.
  static final int SUMS_BYTES = 8 * VECTOR_BYTES;

  /// Bytes between the results of even and of odd lanes.
  static final int ODD_BYTES = Tiled.ROWS / 2 * 4;

  /// Groups of a chunk.
  private static final int CHUNK = 256 / QuantizedRows.GROUP;

  /// Bytes of results for rows that the matrix does not have.
  private static final int PADDED_BYTES = 4 * Tiled.ROWS * 4;

  /// The bytes of scratch memory that a thread needs.
  public static final int SCRATCH_BYTES = CHUNK * SUMS_BYTES + PADDED_BYTES;

  /// Vectors of a tile.
  private static final int PARTS = 2 * Tiled.ROWS / VECTOR_BYTES;

  private final Tiled type;
  private final MemorySegment weights;
  private final MemorySegment activations;
  private final MemorySegment out;
  private final long w;
  private final long x;
  private final long y;
  private final long yStride;
  private final int rows;
  private final int count;
  private final int groups;
  private final long tileRowBytes;
  private final long xStride;

  /// Bytes of the columns that share an F16 scale, and the logarithm of how many groups these are.
  private final int bytes;

  private final int shift;

  /// @param w the weights, N = `rows` by K = `columns`, from byte `wAt`; it is faster where that is
  ///   a multiple of 64
  /// @param q `count` rows of [QuantizedRows], for the weights' bits, from byte `qAt`
  /// @param out `count` rows of N F32 from byte `outAt`, `outStride` bytes apart
  /// @throws IndexOutOfBoundsException if a segment is too small
  /// @throws IllegalArgumentException if a segment is on the heap
  public TiledProduct(
      Tiled type,
      MemorySegment w,
      long wAt,
      int rows,
      int columns,
      MemorySegment q,
      long qAt,
      int count,
      MemorySegment out,
      long outAt,
      long outStride) {
    this.type = type;
    this.rows = rows;
    this.count = count;
    weights = w;
    activations = q;
    this.out = out;
    groups = columns / QuantizedRows.GROUP;
    tileRowBytes = (long) columns / type.blockSize() * type.blockBytes() * Tiled.ROWS;
    xStride = QuantizedRows.rowBytes(columns);
    yStride = outStride;
    this.w = address(w, wAt, Math.ceilDiv(rows, Tiled.ROWS) * tileRowBytes);
    x = address(q, qAt, count * xStride);
    y = address(out, outAt, (count - 1) * yStride + rows * 4L);
    shift = Integer.numberOfTrailingZeros(type.groupSize() / QuantizedRows.GROUP);
    bytes = type.minima() ? TiledLayout.MINIMA_GROUP_BYTES : type.blockBytes() * Tiled.ROWS;
  }

  /// Multiplies the rows of tiles `from` to `to`-1. Threads may call at once for different tiles.
  ///
  /// @param scratch [#SCRATCH_BYTES] from byte `scratchAt`
  public void multiply(int from, int to, MemorySegment scratch, long scratchAt) {
    long t = address(scratch, scratchAt, SCRATCH_BYTES);
    if (count == 1) {
      oneRow(from * PARTS, to * PARTS, t);
    } else {
      manyRows(from * PARTS, to * PARTS, t);
    }
    Reference.reachabilityFence(weights);
    Reference.reachabilityFence(activations);
    Reference.reachabilityFence(out);
    Reference.reachabilityFence(scratch);
  }

  private void oneRow(int from, int to, long t) {
    for (int v = from; v < to; v += 4) {
      int n = Math.min(4, to - v);
      for (int i = 0; i < n; i++) {
        TiledScales.clear(result(0, v + i, i, t));
      }
      for (int g = 0; g < groups; g += CHUNK) {
        int size = Math.min(CHUNK, groups - g);
        long xg = x + (long) g * QuantizedRows.BLOCK_BYTES;
        // Where fewer than four are left, the last one is summed several times.
        long w0 = words(v, g);
        long w1 = words(v + Math.min(1, n - 1), g);
        long w2 = words(v + Math.min(2, n - 1), g);
        long w3 = words(v + n - 1, g);
        if (type.bits() == 4) {
          TiledInt4.oneRow(w0, w1, w2, w3, shift, bytes, xg, size, t);
        } else {
          TiledInt8.oneRow(w0, w1, w2, w3, shift, bytes, xg, size, t);
        }
        for (int i = 0; i < n; i++) {
          scale(i, v + i, g, xg, size, result(0, v + i, i, t), t);
        }
      }
      for (int i = 0; i < n; i++) {
        copyPadded(0, v + i, i, t);
      }
    }
  }

  private void manyRows(int from, int to, long t) {
    for (int v = from; v < to; v += 2) {
      int vectors = Math.min(2, to - v);
      for (int m = 0; m < count; m += 2) {
        int n = Math.min(2, count - m);
        for (int i = 0; i < 2 * vectors; i++) {
          TiledScales.clear(result(m + i % 2 % n, v + i / 2, i, t));
        }
        for (int g = 0; g < groups; g += CHUNK) {
          int size = Math.min(CHUNK, groups - g);
          // Where there is but one vector or row, it is multiplied twice.
          long w0 = words(v, g);
          long w1 = words(v + vectors - 1, g);
          long x0 = x + m * xStride + (long) g * QuantizedRows.BLOCK_BYTES;
          long x1 = x0 + (n - 1) * xStride;
          if (type.bits() == 4) {
            TiledInt4.twoRows(w0, w1, shift, bytes, x0, x1, size, t);
          } else {
            TiledInt8.twoRows(w0, w1, shift, bytes, x0, x1, size, t);
          }
          for (int i = 0; i < vectors * 2; i++) {
            if (i % 2 < n) {
              int row = m + i % 2;
              scale(i, v + i / 2, g, x0 + i % 2 * xStride, size, result(row, v + i / 2, i, t), t);
            }
          }
        }
        for (int i = 0; i < vectors * 2; i++) {
          if (i % 2 < n) {
            copyPadded(m + i % 2, v + i / 2, i, t);
          }
        }
      }
    }
  }

  private void scale(int i, int v, int group, long xg, int size, long to, long t) {
    long sums = t + i * 2L * VECTOR_BYTES;
    if (type.minima()) {
      long tile = chunk(v, group);
      TiledScales.addWithMinima(sums, tile, xg, size, to, 0);
      TiledScales.addWithMinima(sums + VECTOR_BYTES, tile, xg, size, to + ODD_BYTES, 16);
    } else {
      TiledScales.add(sums, chunk(v, group), shift, bytes, xg, size, to);
    }
  }

  /// The address of vector `v`'s part of the tile where the chunk of group `group` begins.
  private long chunk(int v, int group) {
    return w
        + v / PARTS * tileRowBytes
        + v % PARTS * VECTOR_BYTES
        + (long) group * QuantizedRows.GROUP / type.blockSize() * type.blockBytes() * Tiled.ROWS;
  }

  /// The address of the words there.
  private long words(int v, int group) {
    int head = type.minima() ? TiledLayout.MINIMA_HEAD_BYTES : 0;
    return chunk(v, group) + head + TiledLayout.SCALES_BYTES;
  }

  /// The address of the products of row m and the first row of vector v: in the scratch memory
  /// where the tile has rows that the matrix has not.
  private long result(int m, int v, int i, long t) {
    if (isPadded(v)) {
      return t + CHUNK * SUMS_BYTES + i * (Tiled.ROWS * 4L);
    }
    return y + m * yStride + firstRow(v) * 4L;
  }

  private void copyPadded(int m, int v, int i, long t) {
    if (isPadded(v)) {
      long from = result(m, v, i, t);
      for (int half = 0; half < Tiled.ROWS; half += Tiled.ROWS / 2) {
        for (int lane = 0; lane < Lanes.COUNT; lane++) {
          int row = firstRow(v) + half + lane;
          if (row < rows) {
            ALL.set(FLOAT, y + m * yStride + row * 4L, ALL.get(FLOAT, from + (half + lane) * 4L));
          }
        }
      }
    }
  }

  private boolean isPadded(int v) {
    return (v / PARTS + 1) * Tiled.ROWS > rows;
  }

  private static int firstRow(int v) {
    return v / PARTS * Tiled.ROWS + v % PARTS * Lanes.COUNT;
  }
}
