package io.gatun.tensor.kernel.tiled;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;

import io.gatun.tensor.DType.Tiled;
import io.gatun.tensor.kernel.dense.Lanes;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/// Products of tiled weights (N, K) with rows of quantized activations, by the Vector API.
///
/// The unit of work is one vector of words: as many rows of a tile as the machine's vectors have
/// 16-bit lanes, the whole tile where they have 512 bits. Tile by tile is the order of the memory:
/// a core reads one stream faster than several. Up to four rows of activations share what is
/// unpacked.
public final class TiledProduct {
  static final int VECTOR_BYTES = Lanes.WORDS.vectorByteSize();

  /// Bytes between the results of even and of odd lanes.
  static final int ODD_BYTES = Tiled.ROWS / 2 * 4;

  /// Bytes of a row's products with a tile that has rows that the matrix has not.
  private static final int PADDED_BYTES = 4 * Tiled.ROWS;

  /// The bytes of scratch memory that a thread needs.
  public static final int SCRATCH_BYTES = 4 * PADDED_BYTES;

  /// From so many activation rows on, products take longer than reading from memory does, and hide
  /// nothing of it.
  private static final int FETCH_ROWS = 3;

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

  /// Bytes of a tile, and the logarithm of how many groups share its scale.
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
    bytes = type.blockBytes() * Tiled.ROWS;
  }

  /// Multiplies the rows of tiles `from` to `to`-1. Threads may call at once for different tiles.
  ///
  /// @param scratch [#SCRATCH_BYTES] from byte `scratchAt`
  public void multiply(int from, int to, MemorySegment scratch, long scratchAt) {
    long t = address(scratch, scratchAt, SCRATCH_BYTES);
    for (int v = from * PARTS; v < to * PARTS; v++) {
      multiply(v, t);
    }
    Reference.reachabilityFence(weights);
    Reference.reachabilityFence(activations);
    Reference.reachabilityFence(out);
    Reference.reachabilityFence(scratch);
  }

  private void multiply(int v, long t) {
    long at = w + v / PARTS * tileRowBytes + v % PARTS * VECTOR_BYTES;
    if (count >= FETCH_ROWS && v % PARTS == 0) {
      TiledLayout.fetch(at, tileRowBytes, t);
    }
    int m = 0;
    for (; type.bits() == 4 && !type.minima() && m + 4 <= count; m += 4) {
      TiledInt4.fourRows(
          at, shift, bytes, x + m * xStride, xStride, groups, result(m, v, t), stride(v));
      copyPadded(m, 4, v, t);
    }
    for (; m + 2 <= count; m += 2) {
      long a = x + m * xStride;
      long to = result(m, v, t);
      if (type.minima()) {
        TiledMinima.twoRows(at, bytes, a, xStride, groups, to, stride(v));
      } else if (type.bits() == 4) {
        TiledInt4.twoRows(at, shift, bytes, a, xStride, groups, to, stride(v));
      } else {
        TiledInt8.twoRows(at, shift, bytes, a, xStride, groups, to, stride(v));
      }
      copyPadded(m, 2, v, t);
    }
    if (m < count) {
      long a = x + m * xStride;
      long to = result(m, v, t);
      if (type.minima()) {
        TiledMinima.oneRow(at, bytes, a, groups, to);
      } else if (type.bits() == 4) {
        TiledInt4.oneRow(at, shift, bytes, a, groups, to);
      } else {
        TiledInt8.oneRow(at, shift, bytes, a, groups, to);
      }
      copyPadded(m, 1, v, t);
    }
  }

  /// The address of the products of row m and the first row of vector v: in the scratch memory
  /// where the tile has rows that the matrix has not.
  private long result(int m, int v, long t) {
    return isPadded(v) ? t : y + m * yStride + firstRow(v) * 4L;
  }

  /// The bytes from there to the products of row m + 1.
  private long stride(int v) {
    return isPadded(v) ? PADDED_BYTES : yStride;
  }

  private void copyPadded(int m, int n, int v, long t) {
    if (isPadded(v)) {
      for (int i = 0; i < n; i++) {
        for (int half = 0; half < Tiled.ROWS; half += Tiled.ROWS / 2) {
          for (int lane = 0; lane < Lanes.COUNT; lane++) {
            int row = firstRow(v) + half + lane;
            if (row < rows) {
              float value = ALL.get(FLOAT, t + i * PADDED_BYTES + (half + lane) * 4L);
              ALL.set(FLOAT, y + (m + i) * yStride + row * 4L, value);
            }
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
