package io.gatun.tensor.kernel;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.Elements.BYTE;
import static io.gatun.tensor.kernel.Elements.FLOAT;
import static io.gatun.tensor.kernel.Lanes.COUNT;
import static io.gatun.tensor.kernel.Lanes.INTS;
import static io.gatun.tensor.kernel.Lanes.floats;
import static io.gatun.tensor.kernel.Lanes.storeBytes;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/// Keys and values of a head as 8-bit integers with one scale.
final class QuantizedHeads {
  /// Adding it to a float of magnitude below 2^22 leaves the nearest integer in the low bits.
  private static final float ROUND = 0x1.8p23f;

  private static final int NO_SIGN = 0x7FFFFFFF;

  private QuantizedHeads() {}

  /// [Kernels#quantize].
  static float quantize(MemorySegment x, long xAt, int n, MemorySegment q, long qAt) {
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
      storeBytes(floats(from + 4L * i).mul(inverse).add(ROUND).reinterpretAsInts(), to + i);
    }
    for (int i = whole; i < n; i++) {
      float rounded = ALL.get(FLOAT, from + 4L * i) * inverse + ROUND;
      ALL.set(BYTE, to + i, (byte) Float.floatToRawIntBits(rounded));
    }
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(q);
    return max / 127;
  }
}
