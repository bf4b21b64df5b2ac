package io.gatun.tensor.kernel;

import static io.gatun.tensor.kernel.Elements.BYTE;
import static io.gatun.tensor.kernel.Elements.FLOAT;
import static io.gatun.tensor.kernel.Elements.SHORT;

import io.gatun.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/// Makes [DType.Tiled] matrices, from floats or from a file's own blocks.
public final class TiledPack {
  /// Divisors tried for the scale of four bits, which has -8 where the greatest magnitude is. A
  /// smaller one cuts that element off, a greater one wastes range; either may serve the rest
  /// better.
  private static final float[] INT4_DIVISORS = {
    -8f, -7f, -7.25f, -7.5f, -7.75f, -8.25f, -8.5f, -8.75f, -9f
  };

  private TiledPack() {}

  /// Quantizes F32 rows (N, K), row-major, without gaps. Of the scales it tries, each group gets
  /// the one with the least squared error.
  ///
  /// @param rows N; the last tile is filled up with rows of zeros
  /// @param columns K, a multiple of the group size
  /// @throws IllegalArgumentException for a type with minima, which only [#fromBlocks] makes
  public static void fromFloat(
      DType.Tiled type,
      MemorySegment src,
      long srcByteOffset,
      long rows,
      long columns,
      MemorySegment dst,
      long dstByteOffset) {
    if (type.minima()) {
      throw new IllegalArgumentException(
          type.name() + " is made from Q4_K blocks only; choose INT4_G32 to quantize floats");
    }
    int groupSize = type.groupSize();
    var group = new float[groupSize];
    var values = new int[groupSize];
    for (long row = 0; row < paddedRows(rows); row++) {
      for (long g = 0; g < columns / groupSize; g++) {
        float scale = 0;
        if (row < rows) {
          long at = srcByteOffset + (row * columns + g * groupSize) * 4;
          MemorySegment.copy(src, FLOAT, at, group, 0, groupSize);
          scale = type.bits() == 4 ? quantize4(group, values) : quantize8(group, values);
        } else {
          Arrays.fill(values, 0);
        }
        long tile = dstByteOffset + TiledLayout.tileOffset(type, columns, row, g);
        TiledLayout.set(
            type, dst, tile, TiledLayout.lane(row), Float.floatToFloat16(scale), values);
      }
    }
  }

  /// Repacks Q4_0 as INT4_G32, Q8_0 as INT8_G32, or Q4_K as INT4_G32_MIN: the same numbers in
  /// another order.
  ///
  /// @param rows N; the last tile is filled up with rows of zeros
  /// @param columns K, a multiple of the block size
  /// @throws IllegalArgumentException for other block types
  public static void fromBlocks(
      DType.Block blocks,
      MemorySegment src,
      long srcByteOffset,
      long rows,
      long columns,
      MemorySegment dst,
      long dstByteOffset) {
    var type = tiledTypeOf(blocks);
    if (type.minima()) {
      fromQ4K(src, srcByteOffset, rows, columns, dst, dstByteOffset);
      return;
    }
    var values = new int[32];
    for (long row = 0; row < paddedRows(rows); row++) {
      for (long g = 0; g < columns / 32; g++) {
        long block = srcByteOffset + (row * (columns / 32) + g) * blocks.blockBytes();
        short scale = 0;
        if (row < rows) {
          scale = src.get(SHORT, block);
          for (int k = 0; k < 32; k++) {
            values[k] =
                blocks == DType.Block.Q8_0
                    ? src.get(BYTE, block + 2 + k)
                    : (src.get(BYTE, block + 2 + k % 16) >> (k / 16 * 4) & 0xF) - 8;
          }
        } else {
          Arrays.fill(values, 0);
        }
        long tile = dstByteOffset + TiledLayout.tileOffset(type, columns, row, g);
        TiledLayout.set(type, dst, tile, TiledLayout.lane(row), scale, values);
      }
    }
  }

  private static void fromQ4K(
      MemorySegment src, long srcByteOffset, long rows, long columns, MemorySegment dst, long to) {
    var type = tiledTypeOf(DType.Block.Q4_K);
    var values = new int[32];
    for (long row = 0; row < paddedRows(rows); row++) {
      int lane = TiledLayout.lane(row);
      for (long b = 0; b < columns / 256; b++) {
        long block = srcByteOffset + (row * (columns / 256) + b) * DType.Block.Q4_K.blockBytes();
        long tile = to + TiledLayout.tileOffset(type, columns, row, b);
        boolean padding = row >= rows;
        dst.set(SHORT, tile + lane * 2L, padding ? 0 : src.get(SHORT, block));
        dst.set(
            SHORT,
            tile + TiledLayout.SCALES_BYTES + lane * 2L,
            padding ? 0 : src.get(SHORT, block + 2));
        for (int group = 0; group < 8; group++) {
          int pair =
              padding
                  ? 0
                  : Blocks256.scale6(src, block + 4, group)
                      | Blocks256.min6(src, block + 4, group) << 8;
          for (int k = 0; k < 32; k++) {
            long qs = block + 16 + group / 2 * 32 + k;
            values[k] = padding ? 0 : (src.get(BYTE, qs) >> group % 2 * 4 & 0xF) - 8;
          }
          TiledLayout.set(
              type, dst, TiledLayout.minimaGroup(tile, group), lane, (short) pair, values);
        }
      }
    }
  }

  /// The tiled type that holds a block type's values exactly.
  ///
  /// @throws IllegalArgumentException if there is none
  public static DType.Tiled tiledTypeOf(DType.Block blocks) {
    if (blocks == DType.Block.Q4_0) {
      return new DType.Tiled(4, 32);
    }
    if (blocks == DType.Block.Q8_0) {
      return new DType.Tiled(8, 32);
    }
    if (blocks == DType.Block.Q4_K) {
      return new DType.Tiled(4, 32, true);
    }
    throw new IllegalArgumentException(
        "%s blocks have no tiled form with the same values; only Q4_0, Q8_0 and Q4_K have"
            .formatted(blocks.name()));
  }

  private static long paddedRows(long rows) {
    return Math.ceilDiv(rows, (long) DType.Tiled.ROWS) * DType.Tiled.ROWS;
  }

  private static float quantize4(float[] group, int[] values) {
    float max = signedMax(group);
    float best = 0;
    double leastError = Double.POSITIVE_INFINITY;
    for (float divisor : INT4_DIVISORS) {
      float scale = roundToF16(max / divisor);
      double error = 0;
      for (float x : group) {
        double difference = x - scale * nearest(x, scale, -8, 7);
        error += difference * difference;
      }
      if (error < leastError) {
        leastError = error;
        best = scale;
      }
    }
    for (int k = 0; k < group.length; k++) {
      values[k] = nearest(group[k], best, -8, 7);
    }
    return best;
  }

  private static float quantize8(float[] group, int[] values) {
    float scale = roundToF16(Math.abs(signedMax(group)) / 127);
    for (int k = 0; k < group.length; k++) {
      values[k] = nearest(group[k], scale, -127, 127);
    }
    return scale;
  }

  /// The element of the greatest magnitude.
  private static float signedMax(float[] group) {
    float max = 0;
    for (float x : group) {
      max = Math.abs(x) > Math.abs(max) ? x : max;
    }
    return max;
  }

  private static float roundToF16(float scale) {
    return Float.float16ToFloat(Float.floatToFloat16(scale));
  }

  private static int nearest(float x, float scale, int min, int max) {
    return scale == 0 ? 0 : Math.clamp(Math.round(x / scale), min, max);
  }
}
