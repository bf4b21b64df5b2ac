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
/// 16-bit lanes, the whole tile where they have 512 bits; or two of these, where [TiledPairs] has
/// kernels. Tile by tile is the order of the memory: a core reads one stream faster than several.
/// Up to four rows of activations share what is unpacked.
public final class TiledProduct {
  static final int VECTOR_BYTES = Lanes.WORDS.vectorByteSize();

  /// Bytes between the results of even and of odd lanes.
  static final int ODD_BYTES = Tiled.ROWS / 2 * 4;

  /// Bytes of a row's products with a tile that has rows that the matrix has not.
  private static final int PADDED_BYTES = 4 * Tiled.ROWS;

  /// Rows of activations that share what is read of the weights.
  private static final int MOST_ROWS = 4;

  /// Groups that are summed up before they are scaled: their sums stay in the first cache.
  private static final int CHUNK = 32;

  /// Bytes of a row's sums of a chunk.
  private static final int SUMS_BYTES = 2 * CHUNK * VECTOR_BYTES;

  /// The bytes of scratch memory that a thread needs: products, and behind them sums.
  public static final int SCRATCH_BYTES = MOST_ROWS * (PADDED_BYTES + SUMS_BYTES);

  /// From so many activation rows on, products take longer than reading from memory does, and hide
  /// nothing of it: of a vector that is a whole tile, which is read first then. Where it is half of
  /// one, that takes a quarter longer.
  private static final int FETCH_ROWS = 3;

  /// Vectors of a tile.
  private static final int PARTS = 2 * Tiled.ROWS / VECTOR_BYTES;

  private static volatile boolean together = true;

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

  /// Vectors that are multiplied at once.
  private final int vectors;

  /// Bytes from the activations of a group to those of the next one.
  private final int step;

  /// Bytes from a tile's beginning to its first words.
  private final int wordsAt;

  private final TiledWords.Groups place;

  /// Address of the table of levels.
  private final long levels;

  /// @param w the weights, N = `rows` by K = `columns`, from byte `wAt`; it is faster where that is
  ///   a multiple of 64
  /// @param q `count` rows of [QuantizedRows], for [#activationBits]
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
    step = count * QuantizedRows.BLOCK_BYTES;
    yStride = outStride;
    this.w = address(w, wAt, Math.ceilDiv(rows, Tiled.ROWS) * tileRowBytes);
    x = address(q, 0, count * QuantizedRows.rowBytes(columns));
    y = address(out, outAt, (count - 1) * yStride + rows * 4L);
    int tile = type.blockBytes() * Tiled.ROWS;
    levels = TiledLevels.table(type.form());
    vectors = TiledPairs.AVAILABLE && type.bits() == 4 && !type.hasLevels() ? 2 : 1;
    if (type.form() != Tiled.Form.PLAIN) {
      wordsAt = TiledLayout.headBytes(type) + TiledLayout.SCALES_BYTES;
      place = new TiledWords.Groups(3, tile, TiledLayout.PAIRS_GROUP_BYTES);
    } else {
      wordsAt = TiledLayout.SCALES_BYTES;
      int shift = Integer.numberOfTrailingZeros(type.groupSize() / QuantizedRows.GROUP);
      place = new TiledWords.Groups(shift, tile, 128 * type.bits());
    }
  }

  /// Whether this machine's vectors can multiply weights of the type.
  public static boolean supports(Tiled type) {
    return !type.hasLevels() || TiledLevels.AVAILABLE;
  }

  /// The bits for which activations that the type is multiplied with are
  /// [quantized][QuantizedRows].
  public static int activationBits(Tiled type) {
    return type.hasLevels() ? 8 : type.bits();
  }

  /// Whether rows of activations are multiplied together. As long as the kernels that do so are not
  /// compiled, one by one is faster; the products are the same to the bit.
  public static void setTogether(boolean together) {
    TiledProduct.together = together;
  }

  /// Multiplies the rows of tiles `from` to `to`-1. Threads may call at once for different tiles.
  ///
  /// @param scratch [#SCRATCH_BYTES] from byte `scratchAt`
  public void multiply(int from, int to, MemorySegment scratch, long scratchAt) {
    long t = address(scratch, scratchAt, SCRATCH_BYTES);
    for (int v = from * PARTS; v < to * PARTS; v += vectors) {
      multiply(v, t);
    }
    Reference.reachabilityFence(weights);
    Reference.reachabilityFence(activations);
    Reference.reachabilityFence(out);
    Reference.reachabilityFence(scratch);
  }

  private void multiply(int v, long t) {
    long at = w + v / PARTS * tileRowBytes + v % PARTS * VECTOR_BYTES;
    if (PARTS == 1 && together && count >= FETCH_ROWS) {
      TiledLayout.fetch(at, tileRowBytes, t);
    }
    for (int m = 0, n; m < count; m += n) {
      n = together ? rowsFrom(m) : 1;
      long a = x + (long) m * QuantizedRows.BLOCK_BYTES;
      long to = result(m, v, t);
      if (type.hasLevels()) {
        float factor = type.form().factor();
        TiledLevels.oneRow(at, place.tile(), a, step, 2 * groups, levels, factor, to);
      } else if (type.bits() == 4 && !type.minima() && n < MOST_ROWS) {
        inOnePass(at, a, n, to, stride(v));
      } else {
        products(at, a, n, t + MOST_ROWS * PADDED_BYTES, to, stride(v));
      }
      for (int i = 0; i < vectors; i++) {
        copyPadded(m, n, v + i, t + (long) i * VECTOR_BYTES);
      }
    }
  }

  /// The rows that are multiplied together with row m.
  private int rowsFrom(int m) {
    if (type.hasLevels()) {
      return 1;
    }
    boolean most = count - m >= MOST_ROWS && type.bits() == 4 && vectors == 1;
    return most ? MOST_ROWS : Math.min(2, count - m);
  }

  private void inOnePass(long at, long a, int n, long y, long yStep) {
    if (vectors == 2 && n == 2) {
      TiledPairs.twoRows(at, place.shift(), place.tile(), a, step, groups, y, yStep);
    } else if (vectors == 2) {
      TiledPairs.oneRow(at, place.shift(), place.tile(), a, step, groups, y);
    } else if (n == 2) {
      TiledInt4.twoRows(at, place.shift(), place.tile(), a, step, groups, y, yStep);
    } else {
      TiledInt4.oneRow(at, place.shift(), place.tile(), a, step, groups, y);
    }
  }

  /// Products of `n` rows, some groups at a time.
  private void products(long at, long a, int n, long sums, long y, long yStep) {
    for (int i = 0; i < n * vectors; i++) {
      TiledScales.clear(y + i / vectors * yStep + i % vectors * (long) VECTOR_BYTES);
    }
    for (int g = 0; g < groups; g += CHUNK) {
      add(at, a, n, g, Math.min(groups, g + CHUNK), sums, y, yStep);
    }
  }

  private void add(long at, long a, int n, int from, int to, long sums, long y, long yStep) {
    sum(at + wordsAt, a, n, from, to, sums);
    int ofRow = type.bits() == 4 ? VECTOR_BYTES : 2 * VECTOR_BYTES;
    for (int i = 0; i < n * vectors; i++) {
      long row = a + (long) (i / vectors) * QuantizedRows.BLOCK_BYTES;
      long part = i % vectors * (long) VECTOR_BYTES;
      long s = sums + (long) i * ofRow;
      scale(at + part, row, from, to, s, n * vectors * ofRow, y + i / vectors * yStep + part);
    }
  }

  /// @param sums bytes from a group's sums to the next one's
  private void scale(long at, long row, int from, int to, long s, int sums, long y) {
    int tile = place.tile();
    if (type.minima()) {
      TiledScales.minima(0, at, tile, row, step, from, to, s, sums, y);
      TiledScales.minima(1, at, tile, row, step, from, to, s, sums, y + ODD_BYTES);
    } else if (type.bits() == 4) {
      TiledScales.int4(at, place.shift(), tile, row, step, from, to, s, sums, y);
    } else {
      TiledScales.int8(at, place.shift(), tile, row, step, from, to, s, sums, y);
    }
  }

  private void sum(long words, long a, int n, int from, int to, long s) {
    if (vectors == 2) {
      switch (n) {
        case 2 -> TiledPairs.int4x2(words, place, a, step, from, to, s);
        default -> TiledPairs.int4(words, place, a, step, from, to, s);
      }
    } else if (type.bits() == 4) {
      switch (n) {
        case 4 -> TiledWords.int4x4(words, place, a, step, from, to, s);
        case 2 -> TiledWords.int4x2(words, place, a, step, from, to, s);
        default -> TiledWords.int4(words, place, a, step, from, to, s);
      }
    } else if (n == 2) {
      TiledWords.int8x2(words, place, a, step, from, to, s);
    } else {
      TiledWords.int8(words, place, a, step, from, to, s);
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
