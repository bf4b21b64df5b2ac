package io.gatun.tensor.kernel;

import static io.gatun.tensor.kernel.Species.F;
import static io.gatun.tensor.kernel.Species.FLOAT;
import static io.gatun.tensor.kernel.Species.HALF_S;
import static io.gatun.tensor.kernel.Species.I;
import static io.gatun.tensor.kernel.Species.LANES;
import static io.gatun.tensor.kernel.Species.LE;
import static io.gatun.tensor.kernel.Species.SHORT;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/// Activations as 8-bit integers, in the form that the kernels of quantized weights read.
///
/// A row of K floats becomes K / 32 blocks of [#BLOCK_BYTES] bytes: 32 shorts in -127..127, the F32
/// scale, the F32 `scale * sum of the integers`, the I16 `-8 * sum of the integers`, and padding. A
/// block holds all that the inner loop needs, so that a row costs the loop one pointer.
public final class QuantizedRows {
  /// Activations that share a scale.
  public static final int GROUP = 32;

  /// Bytes of a block.
  public static final int BLOCK_BYTES = 80;

  static final int SCALE = 64;
  static final int SCALED_SUM = 68;
  static final int MINUS_8_SUM = 72;

  /// Adding it to a float of magnitude below 2^22 leaves the nearest integer in the low bits.
  private static final float ROUND = 0x1.8p23f;

  private QuantizedRows() {}

  /// The bytes of one quantized row of `columns` activations.
  public static long rowBytes(int columns) {
    return (long) columns / GROUP * BLOCK_BYTES;
  }

  /// Quantizes one row: `q = round(x * 127 / max|x|)`, ties to even, by groups of 32.
  ///
  /// A group that holds a NaN or an infinity gets a scale that is not finite, so that it shows in
  /// the product.
  ///
  /// @param x `columns` F32 from byte `xAt`
  /// @param q [#rowBytes(int)] bytes from byte `qAt`
  /// @param columns a multiple of 32
  public static void quantize(MemorySegment x, long xAt, MemorySegment q, long qAt, int columns, int bits) {
    for (int k = 0; k < columns; k += GROUP, xAt += GROUP * 4, qAt += BLOCK_BYTES) {
      FloatVector max = FloatVector.zero(F);
      for (int i = 0; i < GROUP; i += LANES) {
        max = max.max(FloatVector.fromMemorySegment(F, x, xAt + i * 4, LE).abs());
      }
      float amax = max.reduceLanes(VectorOperators.MAX);
      float scale = amax / 127;
      float inverse = amax == 0 ? 0 : 127 / amax;
      IntVector sums = IntVector.zero(I);
      for (int i = 0; i < GROUP; i += LANES) {
        FloatVector v = FloatVector.fromMemorySegment(F, x, xAt + i * 4, LE);
        IntVector n =
            v.mul(inverse)
                .add(ROUND)
                .reinterpretAsInts()
                .lanewise(VectorOperators.LSHL, 16)
                .lanewise(VectorOperators.ASHR, 16);
        sums = sums.add(n);
        ((ShortVector) n.convertShape(VectorOperators.I2S, HALF_S, 0))
            .intoMemorySegment(q, qAt + i * 2, LE);
      }
      int sum = sums.reduceLanes(VectorOperators.ADD);
      if (bits == 4) {
        for (int i = GROUP - 4; i >= 0; i -= 4) {
          for (int j = 3; j > 0; j--) {
            long at = qAt + (i + j) * 2;
            q.set(SHORT, at, (short) (q.get(SHORT, at) - 16 * q.get(SHORT, at - 2)));
          }
        }
      }
      q.set(FLOAT, qAt + SCALE, scale);
      q.set(FLOAT, qAt + SCALED_SUM, scale * sum);
      q.set(SHORT, qAt + MINUS_8_SUM, (short) (-8 * sum));
    }
  }

  /// The integer at `i` of the block at `at`.
  static int get(MemorySegment q, long at, int i, int bits) {
    int a = q.get(SHORT, at + i * 2);
    return bits == 4 && i % 4 != 0 ? (short) (a + 16 * get(q, at, i - 1, bits)) : a;
  }
}
