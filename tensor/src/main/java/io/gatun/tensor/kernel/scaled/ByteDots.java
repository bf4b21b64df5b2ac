package io.gatun.tensor.kernel.scaled;

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
import static io.gatun.tensor.kernel.dense.Lanes.toFloat;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;

import io.gatun.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/// Dot products of rows of bytes, FP8 or integers, that have F32 scales beside them, with one row
/// of F32 activations.
///
/// An FP8 number's bits are moved to where a float has them, subnormal ones too; the difference of
/// the exponents' biases goes into the scales. NaN, which weights have not, is taken for the number
/// that its bits would be.
public final class ByteDots {
  /// Columns of a step.
  public static final int STEP = 32;

  private ByteDots() {}

  /// Whether there is a kernel for a type.
  public static boolean supports(DType type) {
    return type == DType.Plain.F8_E4M3 || type == DType.Plain.F8_E5M2 || type == DType.Plain.I8;
  }

  /// `y[n] = sum over k of w[n][k] * scales[n][k / group] * x[k]`, for the rows n from `from` to
  /// `to`-1.
  ///
  /// @param w rows of `columns` bytes, without gaps
  /// @param columns a multiple of [#STEP]
  /// @param scales F32, for each row `columns / group` rounded up
  /// @param group a multiple of [#STEP]
  /// @param x `columns` F32 from byte `xAt`
  /// @param y F32 from byte `yAt`
  /// @throws IndexOutOfBoundsException if a segment is too small
  /// @throws IllegalArgumentException if a segment is on the heap
  public static void multiply(
      DType type,
      MemorySegment w,
      MemorySegment scales,
      int columns,
      int group,
      MemorySegment x,
      long xAt,
      long from,
      long to,
      MemorySegment y,
      long yAt) {
    long groups = Math.ceilDiv(columns, group);
    long row = address(w, from * columns, (to - from) * columns);
    long scale = address(scales, 4 * from * groups, 4 * (to - from) * groups);
    long a = address(x, xAt, 4L * columns);
    long out = address(y, yAt + 4 * from, 4 * (to - from));
    for (long n = from; n < to; n++, row += columns, scale += 4 * groups, out += 4) {
      float dot =
          type == DType.Plain.I8
              ? i8(row, scale, a, columns, group)
              : type == DType.Plain.F8_E4M3
                  ? f8(row, scale, a, columns, group, 20, 0x87F00000, 0x1p120f)
                  : f8(row, scale, a, columns, group, 21, 0x8FE00000, 0x1p112f);
      ALL.set(FLOAT, out, dot);
    }
    Reference.reachabilityFence(w);
    Reference.reachabilityFence(scales);
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(y);
  }

  /// Four sums at a time: one would wait for its last product.
  private static float f8(
      long w, long s, long x, int columns, int group, int shift, int mask, float bias) {
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int k = 0; k < columns; k += group, s += 4) {
      int end = Math.min(columns, k + group);
      FloatVector s0 = FloatVector.zero(FLOATS);
      FloatVector s1 = s0;
      FloatVector s2 = s0;
      FloatVector s3 = s0;
      int j = k;
      for (; j <= end - 4 * COUNT; j += 4 * COUNT) {
        IntVector a = bytes(w + j).lanewise(VectorOperators.LSHL, shift).and(mask);
        IntVector b = bytes(w + j + COUNT).lanewise(VectorOperators.LSHL, shift).and(mask);
        IntVector c = bytes(w + j + 2 * COUNT).lanewise(VectorOperators.LSHL, shift).and(mask);
        IntVector d = bytes(w + j + 3 * COUNT).lanewise(VectorOperators.LSHL, shift).and(mask);
        s0 = a.reinterpretAsFloats().fma(floats(x + 4L * j), s0);
        s1 = b.reinterpretAsFloats().fma(floats(x + 4L * (j + COUNT)), s1);
        s2 = c.reinterpretAsFloats().fma(floats(x + 4L * (j + 2 * COUNT)), s2);
        s3 = d.reinterpretAsFloats().fma(floats(x + 4L * (j + 3 * COUNT)), s3);
      }
      if (j < end) {
        IntVector a = bytes(w + j).lanewise(VectorOperators.LSHL, shift).and(mask);
        IntVector b = bytes(w + j + COUNT).lanewise(VectorOperators.LSHL, shift).and(mask);
        s0 = a.reinterpretAsFloats().fma(floats(x + 4L * j), s0);
        s1 = b.reinterpretAsFloats().fma(floats(x + 4L * (j + COUNT)), s1);
      }
      float scale = ALL.get(FLOAT, s & IN_BOUNDS) * bias;
      sum = s0.add(s1).add(s2.add(s3)).fma(FloatVector.broadcast(FLOATS, scale), sum);
    }
    sum = sum.add(sum.rearrange(BY_8));
    sum = sum.add(sum.rearrange(BY_4));
    sum = sum.add(sum.rearrange(BY_2));
    return sum.add(sum.rearrange(BY_1)).lane(0) * LANE_SHARE;
  }

  private static float i8(long w, long s, long x, int columns, int group) {
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int k = 0; k < columns; k += group, s += 4) {
      int end = Math.min(columns, k + group);
      FloatVector s0 = FloatVector.zero(FLOATS);
      FloatVector s1 = s0;
      FloatVector s2 = s0;
      FloatVector s3 = s0;
      int j = k;
      for (; j <= end - 4 * COUNT; j += 4 * COUNT) {
        s0 = toFloat(bytes(w + j)).fma(floats(x + 4L * j), s0);
        s1 = toFloat(bytes(w + j + COUNT)).fma(floats(x + 4L * (j + COUNT)), s1);
        s2 = toFloat(bytes(w + j + 2 * COUNT)).fma(floats(x + 4L * (j + 2 * COUNT)), s2);
        s3 = toFloat(bytes(w + j + 3 * COUNT)).fma(floats(x + 4L * (j + 3 * COUNT)), s3);
      }
      if (j < end) {
        s0 = toFloat(bytes(w + j)).fma(floats(x + 4L * j), s0);
        s1 = toFloat(bytes(w + j + COUNT)).fma(floats(x + 4L * (j + COUNT)), s1);
      }
      float scale = ALL.get(FLOAT, s & IN_BOUNDS);
      sum = s0.add(s1).add(s2.add(s3)).fma(FloatVector.broadcast(FLOATS, scale), sum);
    }
    sum = sum.add(sum.rearrange(BY_8));
    sum = sum.add(sum.rearrange(BY_4));
    sum = sum.add(sum.rearrange(BY_2));
    return sum.add(sum.rearrange(BY_1)).lane(0) * LANE_SHARE;
  }
}
