package io.gatun.tensor.kernel.tiled;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.INTS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.ORDER;
import static io.gatun.tensor.kernel.dense.Lanes.ROUND;
import static io.gatun.tensor.kernel.dense.Lanes.floats;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.INT;
import static io.gatun.tensor.kernel.scalar.Floats.SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;

/// Activations as 8-bit integers, in the form that the products with [io.gatun.tensor.DType.Tiled]
/// weights read.
///
/// T rows of K floats become (K / 32, T) blocks of [#BLOCK_BYTES] bytes: 32 I16, the F32 scale s,
/// the F32 `s * (a0 + ... + a31)`, the I16 `-8 * (a0 + ... + a31)`, and padding; the integers a are
/// in -127..127. Each I16 is there twice, so that one load of 32 bits fills a vector's lanes with
/// it. A block holds all that the inner loop needs, and the rows' blocks lie side by side, so that
/// one address serves all rows.
///
/// For weights of 4 bits the I16 are not the integers themselves, since taking the weights out of
/// the words that hold four costs the kernels more than the products do. Nibble i of a word w is
/// `(w >> 4i) - 16 (w >> 4(i+1))`, so the sum of nibble times integer is the sum of `(w >> 4i) *
/// b[i]` with `b[i] = a[i] - 16 a[i-1]`, modulo 2^16, and `b[0] = a[0]`: the I16 are these b.
public final class QuantizedRows {
  /// Activations that share a scale.
  public static final int GROUP = 32;

  /// Bytes of a block.
  public static final int BLOCK_BYTES = 144;

  static final int SCALE = 128;
  static final int SCALED_SUM = 132;
  static final int MINUS_8_SUM = 136;

  private static final VectorShuffle<Integer> PREVIOUS =
      VectorShuffle.fromOp(INTS, i -> Math.max(0, i - 1));

  private static final IntVector LANE = IntVector.zero(INTS).addIndex(1);

  /// 16 in the lanes that have one before them in their word, else 0.
  private static final IntVector NIBBLES =
      LANE.and(3).lanewise(VectorOperators.MIN, 1).lanewise(VectorOperators.LSHL, 4);

  private QuantizedRows() {}

  /// The bytes of one quantized row of `columns` activations.
  public static long rowBytes(int columns) {
    return (long) columns / GROUP * BLOCK_BYTES;
  }

  /// Quantizes one row: `a = round(x * 127 / max|x|)`, ties to even, by groups of 32.
  ///
  /// A group that holds a NaN or an infinity gets a scale that is not finite, so that it shows in
  /// the product.
  ///
  /// @param x `columns` F32 from byte `xAt`
  /// @param q the blocks of `rows` rows
  /// @param row which of them this is
  /// @param columns a multiple of 32
  /// @param bits 4 or 8: of the weights that the row will be multiplied with
  public static void quantize(
      MemorySegment x, long xAt, MemorySegment q, int row, int rows, int columns, int bits) {
    long from = address(x, xAt, 4L * columns);
    long to = address(q, 0, rows * rowBytes(columns)) + (long) row * BLOCK_BYTES;
    int nibbles = bits == 4 ? 1 : 0;
    long step = (long) rows * BLOCK_BYTES;
    for (int k = 0; k < columns; k += GROUP, from += GROUP * 4, to += step) {
      // The bits of floats without sign are in the floats' order, NaN above all.
      IntVector max = IntVector.zero(INTS);
      for (int i = 0; i < GROUP; i += COUNT) {
        max = floats(from + i * 4).reinterpretAsInts().and(0x7FFFFFFF).max(max);
      }
      float amax = Float.intBitsToFloat(max.reduceLanes(VectorOperators.MAX));
      float scale = amax / 127;
      float inverse = amax == 0 ? 0 : 127 / amax;
      IntVector sums = IntVector.zero(INTS);
      for (int i = 0; i < GROUP; i += COUNT) {
        FloatVector v = floats(from + i * 4);
        IntVector a =
            v.mul(inverse)
                .add(ROUND)
                .reinterpretAsInts()
                .lanewise(VectorOperators.LSHL, 16)
                .lanewise(VectorOperators.ASHR, 16);
        sums = a.add(sums);
        IntVector b = a.sub(a.rearrange(PREVIOUS).mul(NIBBLES).mul(nibbles));
        b.and(0xFFFF)
            .or(b.lanewise(VectorOperators.LSHL, 16))
            .intoMemorySegment(ALL, to + i * 4 & IN_BOUNDS, ORDER);
      }
      int sum = sums.reduceLanes(VectorOperators.ADD);
      ALL.set(FLOAT, to + SCALE, scale);
      ALL.set(FLOAT, to + SCALED_SUM, scale * sum);
      ALL.set(INT, to + MINUS_8_SUM, -8 * sum & 0xFFFF | -8 * sum << 16);
    }
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(q);
  }

  /// Activation `column` of one of `rows` rows, as the float that it stands for.
  static float get(MemorySegment q, int row, int rows, int column, int bits) {
    long block = ((long) column / GROUP * rows + row) * BLOCK_BYTES;
    int first = bits == 4 ? column & -4 : column;
    int a = 0;
    for (int i = first; i <= column; i++) {
      a = (short) (q.get(SHORT, block + i % GROUP * 4) + (a << 4));
    }
    return a * q.get(FLOAT, block + SCALE);
  }
}
