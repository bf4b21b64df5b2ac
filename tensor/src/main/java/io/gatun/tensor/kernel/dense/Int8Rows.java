package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.INTS;
import static io.gatun.tensor.kernel.dense.Lanes.ROUND;
import static io.gatun.tensor.kernel.dense.Lanes.floats;
import static io.gatun.tensor.kernel.dense.Lanes.storeBytes;
import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/// Rows of F32 as 8-bit integers with one scale each: activations, weights, keys and values.
public final class Int8Rows {
  private static final int NO_SIGN = 0x7FFFFFFF;

  private Int8Rows() {}

  /// [io.gatun.tensor.kernel.scalar.Kernels#quantize].
  static float quantize(MemorySegment x, long xAt, int n, int zero, MemorySegment q, long qAt) {
    long from = address(x, xAt, 4L * n);
    long to = address(q, qAt, n);
    int whole = n - n % COUNT;
    // The bits of floats without sign are in the floats' order, NaN above all.
    IntVector greatest = IntVector.zero(INTS);
    for (int i = 0; i < whole; i += COUNT) {
      greatest = greatest.max(floats(from + 4L * i).reinterpretAsInts().and(NO_SIGN));
    }
    int bits = greatest.reduceLanes(VectorOperators.MAX);
    for (int i = whole; i < n; i++) {
      bits = Math.max(bits, Float.floatToRawIntBits(ALL.get(FLOAT, from + 4L * i)) & NO_SIGN);
    }
    float max = Float.intBitsToFloat(bits);
    float inverse = max == 0 ? 0 : 127 / max;
    for (int i = 0; i < whole; i += COUNT) {
      var rounded = floats(from + 4L * i).mul(inverse).add(ROUND).reinterpretAsInts();
      storeBytes(rounded.add(zero), to + i);
    }
    for (int i = whole; i < n; i++) {
      float rounded = ALL.get(FLOAT, from + 4L * i) * inverse + ROUND;
      ALL.set(BYTE, to + i, (byte) (Float.floatToRawIntBits(rounded) + zero));
    }
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(q);
    return max / 127;
  }

  /// The sum of n signed bytes.
  ///
  /// @param n a multiple of 32
  public static int sum(MemorySegment q, long qAt, int n) {
    long from = address(q, qAt, n);
    IntVector sum = IntVector.zero(INTS);
    for (int i = 0; i < n; i += COUNT) {
      sum = sum.add(Lanes.bytes(from + i));
    }
    Reference.reachabilityFence(q);
    return sum.reduceLanes(VectorOperators.ADD);
  }
}
