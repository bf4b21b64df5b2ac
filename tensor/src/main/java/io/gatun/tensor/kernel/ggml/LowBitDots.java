package io.gatun.tensor.kernel.ggml;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.BY_1;
import static io.gatun.tensor.kernel.dense.Lanes.BY_2;
import static io.gatun.tensor.kernel.dense.Lanes.BY_4;
import static io.gatun.tensor.kernel.dense.Lanes.BY_8;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.LANE_SHARE;
import static io.gatun.tensor.kernel.dense.Lanes.bytes;
import static io.gatun.tensor.kernel.dense.Lanes.floats;
import static io.gatun.tensor.kernel.dense.Lanes.store;
import static io.gatun.tensor.kernel.dense.Lanes.toFloat;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;

import io.gatun.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;

/// Products of rows of one to three bits, as a GGUF file has them, with rows of F32 activations: a
/// row of weights at a time becomes bytes in the first cache, see [LowBits].
public final class LowBitDots {
  private LowBitDots() {}

  /// Whether there is a kernel for rows of so many elements of the type.
  public static boolean supports(DType type, int columns) {
    return type instanceof DType.Block block
        && LowBits.supports(block)
        && columns % block.blockSize() == 0;
  }

  /// The bytes of scratch memory for rows of so many elements.
  public static long scratchBytes(int columns) {
    return LowBits.scratchBytes(columns);
  }

  /// `y[t][n] = sum over k of w[n][k] * x[t][k]`, for `count` rows t, and the rows n from `from` to
  /// `to`-1.
  ///
  /// @param w rows of `columns` elements, without gaps
  /// @param x rows of `columns` F32, without gaps
  /// @param y rows of F32, `yStride` bytes apart
  /// @param scratch [#scratchBytes] from byte `at`
  /// @throws IndexOutOfBoundsException if a segment is too small
  /// @throws IllegalArgumentException if a segment is on the heap or the type is not supported
  public static void multiply(
      DType.Block type,
      MemorySegment w,
      int columns,
      MemorySegment x,
      int count,
      long from,
      long to,
      MemorySegment y,
      long yStride,
      MemorySegment scratch,
      long at) {
    long blocks = columns / type.blockSize();
    long rowBytes = blocks * type.blockBytes();
    long row = address(w, from * rowBytes, (to - from) * rowBytes);
    long a = address(x, 0, 4L * count * columns);
    long out = address(y, 4 * from, (count - 1) * yStride + 4 * (to - from));
    long numbers = address(scratch, at, scratchBytes(columns));
    long scales = numbers + columns;
    for (long n = from; n < to; n++, row += rowBytes, out += 4) {
      LowBits.unpack(type, row, blocks, numbers, scales);
      for (int t = 0; t < count; t++) {
        float dot = dot(numbers, scales, a + 4L * t * columns, columns);
        ALL.set(FLOAT, out + t * yStride, dot);
      }
    }
    Reference.reachabilityFence(w);
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(y);
    Reference.reachabilityFence(scratch);
  }

  private static float dot(long w, long s, long x, int columns) {
    FloatVector first = FloatVector.zero(FLOATS);
    FloatVector second = first;
    for (int k = 0; k < columns; k += 32, s += 8) {
      FloatVector a = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, s & IN_BOUNDS));
      FloatVector b = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, s + 4 & IN_BOUNDS));
      for (int j = 0; j < 16; j += COUNT) {
        long at = x + 4L * (k + j);
        first = toFloat(bytes(w + k + j)).mul(floats(at)).fma(a, first);
        second = toFloat(bytes(w + k + j + 16)).mul(floats(at + 64)).fma(b, second);
      }
    }
    FloatVector sum = first.add(second);
    sum = sum.add(sum.rearrange(BY_8));
    sum = sum.add(sum.rearrange(BY_4));
    sum = sum.add(sum.rearrange(BY_2));
    return sum.add(sum.rearrange(BY_1)).lane(0) * LANE_SHARE;
  }

  /// Blocks to F32.
  ///
  /// @param from, to addresses
  /// @param scratch address of [#scratchBytes] of a block
  public static void unpack(DType.Block type, long from, long blocks, long to, long scratch) {
    int size = type.blockSize();
    for (long b = 0; b < blocks; b++, from += type.blockBytes(), to += 4L * size) {
      LowBits.unpack(type, from, 1, scratch, scratch + size);
      scale(scratch, scratch + size, to, size);
    }
  }

  private static void scale(long w, long s, long to, int columns) {
    for (int k = 0; k < columns; k += 16, s += 4) {
      FloatVector scale = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, s & IN_BOUNDS));
      for (int j = k; j < k + 16; j += COUNT) {
        store(toFloat(bytes(w + j)).mul(scale), to + 4L * j);
      }
    }
  }
}
