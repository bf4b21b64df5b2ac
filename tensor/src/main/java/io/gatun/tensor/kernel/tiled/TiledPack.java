package io.gatun.tensor.kernel.tiled;

import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.ROUND;
import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.INT;
import static io.gatun.tensor.kernel.scalar.Floats.SHORT;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.dense.Lanes;
import io.gatun.tensor.kernel.ggml.Blocks256;
import io.gatun.tensor.kernel.ggml.LowBits;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/// Makes [DType.Tiled] matrices, from floats or from a file's own blocks.
public final class TiledPack {
  /// Divisors tried for the scale of four bits, which has -8 where the greatest magnitude is. A
  /// smaller one cuts that element off, a greater one wastes range; either may serve the rest
  /// better.
  private static final float[] INT4_DIVISORS = {-8f, -7.8f, -7.9f, -8.1f, -8.2f};

  private TiledPack() {}

  /// Quantizes F32 rows (N, K), row-major, without gaps. Of the scales it tries, each group of four
  /// bits gets the one with the least squared error, fitted to the integers that it leads to.
  ///
  /// @param rows N; the last tile is filled up with rows of zeros
  /// @param columns K, a multiple of the group size
  /// @throws IllegalArgumentException for a type with minima or levels, which only [#fromBlocks]
  ///   makes
  public static void fromFloat(
      DType.Tiled type,
      MemorySegment src,
      long srcByteOffset,
      long rows,
      long columns,
      MemorySegment dst,
      long dstByteOffset) {
    if (type.form() != DType.Tiled.Form.PLAIN) {
      throw new IllegalArgumentException(
          type.name() + " is made from GGUF's blocks only; choose INT4_G32 to quantize floats");
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

  /// Packs up to 32 rows of given integers.
  ///
  /// @param integers (rows, columns): of 4 bits -8..7, of 8 bits -128..127
  /// @param scales (rows, columns / group size) F16
  public static void fromIntegers(
      DType.Tiled type,
      byte[] integers,
      short[] scales,
      int rows,
      int columns,
      MemorySegment dst,
      long dstByteOffset) {
    int groups = columns / type.groupSize();
    var values = new int[type.groupSize()];
    for (int row = 0; row < DType.Tiled.ROWS; row++) {
      for (int g = 0; g < groups; g++) {
        for (int k = 0; k < values.length; k++) {
          values[k] = row < rows ? integers[row * columns + g * values.length + k] : 0;
        }
        short scale = row < rows ? scales[row * groups + g] : 0;
        long tile = dstByteOffset + TiledLayout.tileOffset(type, columns, row, g);
        TiledLayout.set(type, dst, tile, TiledLayout.lane(row), scale, values);
      }
    }
  }

  /// Repacks Q4_0 as INT4_G32, Q8_0 as INT8_G32, Q4_K as INT4_G32_MIN, or types of up to three bits
  /// as tiles with levels: the same numbers in another order.
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
    long rowBytes = columns / blocks.blockSize() * blocks.blockBytes();
    var levels = type.hasLevels() ? new Levels(type, blocks) : null;
    for (long first = 0; first < rows; first += DType.Tiled.ROWS) {
      long end = Math.min(rows, first + DType.Tiled.ROWS);
      for (long b = 0; b < columns / blocks.blockSize(); b++) {
        long tile = dstByteOffset + TiledLayout.tileOffset(type, columns, first, b);
        if (end - first < DType.Tiled.ROWS) {
          dst.asSlice(tile, (long) DType.Tiled.ROWS * type.blockBytes()).fill((byte) 0);
        }
        for (long row = first; row < end; row++) {
          long block = srcByteOffset + row * rowBytes + b * blocks.blockBytes();
          long lane = tile + 2L * TiledLayout.lane(row);
          if (levels != null) {
            levels.pack(src, block, dst, lane);
          } else if (type.minima()) {
            q4k(type, src, block, dst, lane);
          } else if (type.bits() == 4) {
            q40(src, block, dst, lane);
          } else {
            q80(src, block, dst, lane);
          }
        }
      }
    }
  }

  /// A byte of a Q4_0 block holds the columns k and 16 + k.
  private static void q40(MemorySegment src, long block, MemorySegment dst, long lane) {
    dst.set(SHORT, lane, src.get(SHORT, block));
    nibbles(src, block + 2, 0, 4, dst, lane + TiledLayout.SCALES_BYTES);
    nibbles(src, block + 2, 4, 4, dst, lane + 5L * TiledLayout.SCALES_BYTES);
  }

  private static void q80(MemorySegment src, long block, MemorySegment dst, long lane) {
    dst.set(SHORT, lane, src.get(SHORT, block));
    for (int w = 0; w < 16; w++) {
      short columns = src.get(SHORT, block + 2 + 2L * w);
      dst.set(SHORT, lane + (w + 1L) * TiledLayout.SCALES_BYTES, columns);
    }
  }

  /// Two groups of a Q4_K block share 32 bytes, the first in their low halves.
  private static void q4k(
      DType.Tiled type, MemorySegment src, long block, MemorySegment dst, long lane) {
    dst.set(SHORT, lane, src.get(SHORT, block));
    dst.set(SHORT, lane + TiledLayout.SCALES_BYTES, src.get(SHORT, block + 2));
    for (int group = 0; group < 8; group++) {
      int scale = Blocks256.scale6(src, block + 4, group);
      int min = Blocks256.min6(src, block + 4, group);
      long at = TiledLayout.group(type, lane, group);
      dst.set(SHORT, at, (short) (scale | min << 8));
      long qs = block + 16 + group / 2 * 32L;
      nibbles(src, qs, group % 2 * 4, 8, dst, at + TiledLayout.SCALES_BYTES);
    }
  }

  /// Four bytes' halves, from bit `shift` on, as a word of four columns: `words` times.
  private static void nibbles(
      MemorySegment src, long from, int shift, int words, MemorySegment dst, long to) {
    for (int w = 0; w < words; w++) {
      int bits = src.get(INT, from + 4L * w) >>> shift & 0x0F0F0F0F;
      bits = (bits | bits >>> 4) & 0x00FF00FF;
      dst.set(SHORT, to + (long) w * TiledLayout.SCALES_BYTES, (short) (bits | bits >>> 8));
    }
  }

  /// The tiled type that holds a block type's values exactly; null if there is none.
  public static DType.Tiled tiledTypeOf(DType.Block blocks) {
    return switch (blocks) {
      case Q4_0 -> new DType.Tiled(4, 32);
      case Q8_0 -> new DType.Tiled(8, 32);
      case Q4_K -> DType.Tiled.of(DType.Tiled.Form.MINIMA);
      case IQ1_S, IQ1_M -> DType.Tiled.of(DType.Tiled.Form.IQ1);
      case IQ2_XXS, IQ2_XS, IQ2_S -> DType.Tiled.of(DType.Tiled.Form.IQ2);
      case IQ3_XXS -> DType.Tiled.of(DType.Tiled.Form.IQ3_XXS);
      case IQ3_S -> DType.Tiled.of(DType.Tiled.Form.IQ3_S);
      case Q3_K -> DType.Tiled.of(DType.Tiled.Form.Q3_K);
      default -> null;
    };
  }

  /// Packs blocks of up to three bits.
  private static final class Levels {
    private static final long NUMBERS_BYTES = LowBits.scratchBytes(256);

    private final DType.Tiled type;
    private final DType.Block blocks;
    private final byte[] places = new byte[256];
    private final MemorySegment numbers = Arena.ofAuto().allocate(NUMBERS_BYTES + 256, 64);

    Levels(DType.Tiled type, DType.Block blocks) {
      this.type = type;
      this.blocks = blocks;
      for (int i = 15; i >= 0; i--) {
        places[type.form().level(i) & 0xFF] = (byte) i;
      }
    }

    /// A block, whose numbers [LowBits] gives with a scale for each sixteen: `factor d s`, exactly.
    void pack(MemorySegment src, long block, MemorySegment dst, long lane) {
      long at = numbers.address();
      MemorySegment.copy(src, block, numbers, NUMBERS_BYTES, blocks.blockBytes());
      LowBits.unpack(blocks, at + NUMBERS_BYTES, 1, at, at + 256);
      short half = LowBits.scale(blocks, src, block);
      dst.set(SHORT, lane, half);
      float d = Float.float16ToFloat(half) * type.form().factor();
      for (int group = 0; group < 8; group++) {
        long to = TiledLayout.group(type, lane, group);
        int s = integer(numbers.get(FLOAT, 256 + 8L * group), d);
        int t = integer(numbers.get(FLOAT, 260 + 8L * group), d);
        dst.set(SHORT, to, (short) (s & 0xFF | t << 8));
        for (int k = 32 * group; k < 32 * group + 32; k += 4) {
          to += TiledLayout.SCALES_BYTES;
          int low = place(k) | place(k + 1) << 4;
          dst.set(SHORT, to, (short) (low | place(k + 2) << 8 | place(k + 3) << 12));
        }
      }
    }

    private int place(int k) {
      return places[numbers.get(BYTE, k) & 0xFF];
    }

    /// How many times d a scale is; of a d of zero, the sign remains.
    private static int integer(float scale, float d) {
      return d == 0 ? (int) Math.copySign(1, scale) : Math.round(scale / d);
    }
  }

  private static long paddedRows(long rows) {
    return Math.ceilDiv(rows, (long) DType.Tiled.ROWS) * DType.Tiled.ROWS;
  }

  private static float quantize4(float[] group, int[] values) {
    float max = signedMax(group);
    float best = 0;
    float leastError = Float.POSITIVE_INFINITY;
    for (float divisor : INT4_DIVISORS) {
      float scale = roundToF16(max / divisor);
      float error = squaredError(group, scale);
      if (error < leastError) {
        leastError = error;
        best = scale;
      }
    }
    round4(group, best, values);
    float fitted = leastSquares(group, values);
    round4(group, fitted, values);
    return fitted;
  }

  private static void round4(float[] group, float scale, int[] values) {
    for (int k = 0; k < group.length; k++) {
      values[k] = nearest(group[k], scale, -8, 7);
    }
  }

  /// The scale with which the integers come nearest to the group.
  private static float leastSquares(float[] group, int[] values) {
    double products = 0;
    long squares = 0;
    for (int k = 0; k < group.length; k++) {
      products += (double) group[k] * values[k];
      squares += (long) values[k] * values[k];
    }
    return squares == 0 ? 0 : roundToF16((float) (products / squares));
  }

  /// What 4 bits of that scale leave of a group.
  private static float squaredError(float[] group, float scale) {
    float inverse = scale == 0 ? 0 : 1 / scale;
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int k = 0; k < group.length; k += FLOATS.length()) {
      FloatVector x = FloatVector.fromArray(FLOATS, group, k);
      FloatVector q = x.mul(inverse).max(-8).min(7).add(ROUND).sub(ROUND);
      FloatVector difference = q.fma(FloatVector.broadcast(FLOATS, -scale), x);
      sum = difference.fma(difference, sum);
    }
    sum = sum.add(sum.rearrange(Lanes.BY_8));
    sum = sum.add(sum.rearrange(Lanes.BY_4));
    sum = sum.add(sum.rearrange(Lanes.BY_2));
    return sum.add(sum.rearrange(Lanes.BY_1)).lane(0) * Lanes.LANE_SHARE;
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
    return scale == 0 ? 0 : (int) (Math.clamp(x / scale, min, max) + ROUND - ROUND);
  }
}
