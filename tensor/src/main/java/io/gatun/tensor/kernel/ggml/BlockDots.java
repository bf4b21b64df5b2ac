package io.gatun.tensor.kernel.ggml;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.BASE;
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
import io.gatun.tensor.DType.Block;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;

/// Products of rows of blocks, as a GGUF file has them, with rows of F32 activations: a row of
/// weights at a time becomes bytes with scales and minima in the first cache (see [LowBits],
/// [KNumbers] and [Numbers32]), which up to four rows of activations are multiplied with.
public final class BlockDots {
  private static final int TOGETHER = 4;
  private static final int SUM_BYTES = 64;

  /// The most elements that [#unpack] has as bytes at a time, a few blocks of any type.
  private static final int CHUNK = 2048;

  private BlockDots() {}

  /// Whether there is a kernel for rows of so many elements of the type.
  public static boolean supports(DType type, int columns) {
    return type instanceof Block block
        && (hasMinima(block) || isSigned(block))
        && columns % block.blockSize() == 0;
  }

  private static boolean hasMinima(Block type) {
    return switch (type) {
      case Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q4_K, Q5_K -> true;
      default -> false;
    };
  }

  private static boolean isSigned(Block type) {
    return switch (type) {
      case Q8_0, Q6_K, IQ4_NL, IQ4_XS -> true;
      default -> LowBits.supports(type);
    };
  }

  /// The columns that share a scale.
  private static int group(Block type) {
    boolean sixteen = type == Block.Q2_K || type == Block.Q6_K || LowBits.supports(type);
    return sixteen ? 16 : 32;
  }

  /// The groups of columns that have a minimum, whose activations' sums [#multiply] takes; 0 if
  /// none has.
  public static int minima(Block type, int columns) {
    return hasMinima(type) ? columns / group(type) : 0;
  }

  /// The bytes of scratch memory for rows of so many elements.
  public static long scratchBytes(int columns) {
    return restAt(0, columns) + 2 * TOGETHER * SUM_BYTES;
  }

  /// Where minima are, behind the bytes at `numbers` and their scales.
  private static long minimaAt(long numbers, int columns) {
    return numbers + columns + columns / 4 + KNumbers.BEYOND;
  }

  private static long restAt(long numbers, int columns) {
    return minimaAt(numbers, columns) + columns / 4 + KNumbers.BEYOND;
  }

  /// `y[t][n] = sum over k of w[n][k] * x[t][k]`, for `count` rows t, and the rows n from `from` to
  /// `to`-1. A row's products are the same however many rows there are.
  ///
  /// @param w rows of `columns` elements, without gaps
  /// @param x rows of `columns` F32, without gaps
  /// @param sums the sums of the columns of x, as many groups of them as there are [#minima], F32
  /// @param y rows of F32, `yStride` bytes apart
  /// @param scratch [#scratchBytes] from byte `at`
  /// @throws IndexOutOfBoundsException if a segment is too small
  /// @throws IllegalArgumentException if a segment is on the heap or the type is not supported
  public static void multiply(
      Block type,
      MemorySegment w,
      int columns,
      MemorySegment x,
      MemorySegment sums,
      int count,
      long from,
      long to,
      MemorySegment y,
      long yStride,
      MemorySegment scratch,
      long at) {
    int blocks = columns / type.blockSize();
    long rowBytes = (long) blocks * type.blockBytes();
    long row = address(w, from * rowBytes, (to - from) * rowBytes);
    long xRow = 4L * columns;
    long a = address(x, 0, count * xRow);
    int groups = minima(type, columns);
    long s = groups == 0 ? 0 : address(sums, 0, 4L * count * groups);
    long out = address(y, 4 * from, (count - 1) * yStride + 4 * (to - from));
    long numbers = address(scratch, at, scratchBytes(columns));
    long scales = numbers + columns;
    long minima = minimaAt(numbers, columns);
    int shift = group(type) == 16 ? 0 : 1;
    int second = 4 - 4 * shift;
    long rest = restAt(numbers, columns);
    for (long n = from; n < to; n++, row += rowBytes, out += 4) {
      unpack(type, row, blocks, numbers, scales, minima, rest);
      for (int t = 0, step; t < count; t += step) {
        // Three cost as much as four, and two as much as one and one.
        step = count - t > 2 ? Math.min(TOGETHER, count - t) : 1;
        if (step == 1) {
          dot(numbers, scales, shift, a + t * xRow, columns, rest);
        } else {
          long xs = a + t * xRow;
          dots(numbers, scales, 8 >> shift, xs, xRow, step - 1L, columns, rest);
          dots(
              numbers + 16,
              scales + second,
              8 >> shift,
              xs + 64,
              xRow,
              step - 1L,
              columns,
              rest + SUM_BYTES);
        }
        for (int i = 0; i < step; i++) {
          long sum = rest + 2L * i * SUM_BYTES;
          finish(sum, minima, groups, s + 4L * (t + i) * groups, out + (t + i) * yStride);
        }
      }
    }
    Reference.reachabilityFence(w);
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(sums);
    Reference.reachabilityFence(y);
    Reference.reachabilityFence(scratch);
  }

  private static void unpack(
      Block type, long row, int blocks, long numbers, long scales, long minima, long rest) {
    switch (type) {
      case Q4_0 -> Numbers32.q40(row, blocks, numbers, scales, minima);
      case Q4_1 -> Numbers32.q41(row, blocks, numbers, scales, minima);
      case Q5_0 -> Numbers32.q50(row, blocks, numbers, scales, minima);
      case Q5_1 -> Numbers32.q51(row, blocks, numbers, scales, minima);
      case Q8_0 -> Numbers32.q80(row, blocks, numbers, scales);
      case IQ4_NL -> Numbers32.iq4nl(row, blocks, numbers, scales);
      case IQ4_XS -> Numbers32.iq4xs(row, blocks, numbers, scales);
      case Q2_K -> KNumbers.q2k(row, blocks, numbers, scales, minima);
      case Q4_K -> KNumbers.q4k(row, blocks, numbers, scales, minima, rest);
      case Q5_K -> KNumbers.q5k(row, blocks, numbers, scales, minima, rest);
      case Q6_K -> KNumbers.q6k(row, blocks, numbers, scales);
      default -> LowBits.unpack(type, row, blocks, numbers, scales);
    }
  }

  /// One row of activations.
  ///
  /// @param w address of bytes
  /// @param s address of the scales, one for `16 << shift` bytes
  /// @param to address of two vectors, [#SUM_BYTES] apart: of the even sixteens and the odd ones
  private static void dot(long w, long s, int shift, long x, int columns, long to) {
    FloatVector even = FloatVector.zero(FLOATS);
    FloatVector odd = even;
    int second = 4 - 4 * shift;
    int pairs = columns >> 5;
    for (int g = 0; g < pairs; g++) {
      long q = w + 32L * g & BASE;
      long x0 = x + 128L * g & BASE;
      long at = s + (4L + second) * g & BASE;
      FloatVector a = toFloat(bytes(q)).mul(floats(x0));
      FloatVector b = toFloat(bytes(q + 16)).mul(floats(x0 + 64));
      for (int j = COUNT; j < 16; j += COUNT) {
        a = toFloat(bytes(q + j)).fma(floats(x0 + 4 * j), a);
        b = toFloat(bytes(q + j + 16)).fma(floats(x0 + 4 * j + 64), b);
      }
      even = a.fma(FloatVector.broadcast(FLOATS, ALL.get(FLOAT, at)), even);
      odd = b.fma(FloatVector.broadcast(FLOATS, ALL.get(FLOAT, at + second & IN_BOUNDS)), odd);
    }
    store(even, to);
    store(odd, to + SUM_BYTES);
  }

  /// The even sixteens, or the odd ones, of four rows of activations, or of three, of which the
  /// last is done twice. With both, it would have more operations than the compiler takes.
  ///
  /// @param w address of the first sixteen bytes
  /// @param s address of their scale; the next one's is `step` bytes behind
  /// @param last the place of the last row
  /// @param to address of a vector for each row, `2 * SUM_BYTES` apart
  private static void dots(
      long w, long s, int step, long x, long xStride, long last, int columns, long to) {
    FloatVector sum0 = FloatVector.zero(FLOATS);
    FloatVector sum1 = sum0;
    FloatVector sum2 = sum0;
    FloatVector sum3 = sum0;
    int pairs = columns >> 5;
    for (int g = 0; g < pairs; g++) {
      long q = w + 32L * g & BASE;
      long x0 = x + 128L * g & BASE;
      long x1 = x0 + xStride & BASE;
      long x2 = x1 + xStride & BASE;
      long x3 = x0 + last * xStride & BASE;
      FloatVector v = toFloat(bytes(q));
      FloatVector a = v.mul(floats(x0));
      FloatVector b = v.mul(floats(x1));
      FloatVector c = v.mul(floats(x2));
      FloatVector d = v.mul(floats(x3));
      for (int j = COUNT; j < 16; j += COUNT) {
        v = toFloat(bytes(q + j));
        a = v.fma(floats(x0 + 4 * j), a);
        b = v.fma(floats(x1 + 4 * j), b);
        c = v.fma(floats(x2 + 4 * j), c);
        d = v.fma(floats(x3 + 4 * j), d);
      }
      long at = s + (long) step * g & IN_BOUNDS;
      FloatVector scale = FloatVector.broadcast(FLOATS, ALL.get(FLOAT, at));
      sum0 = a.fma(scale, sum0);
      sum1 = b.fma(scale, sum1);
      sum2 = c.fma(scale, sum2);
      sum3 = d.fma(scale, sum3);
    }
    store(sum0, to);
    store(sum1, to + 2 * SUM_BYTES);
    store(sum2, to + 4 * SUM_BYTES);
    store(sum3, to + 2 * last * SUM_BYTES);
  }

  /// Adds the lanes of two vectors at `from`, and minima times activations.
  ///
  /// @param m address of `groups` minima
  /// @param sums address of the activations' sums of as many
  private static void finish(long from, long m, int groups, long sums, long y) {
    FloatVector sum = floats(from).add(floats(from + SUM_BYTES));
    int g = 0;
    for (; g <= groups - COUNT; g += COUNT) {
      sum = floats(m + 4L * g).fma(floats(sums + 4L * g), sum);
    }
    float rest = 0;
    for (; g < groups; g++) {
      float min = ALL.get(FLOAT, m + 4L * g & IN_BOUNDS);
      rest = Math.fma(min, ALL.get(FLOAT, sums + 4L * g & IN_BOUNDS), rest);
    }
    sum = sum.add(sum.rearrange(BY_8));
    sum = sum.add(sum.rearrange(BY_4));
    sum = sum.add(sum.rearrange(BY_2));
    float all = sum.add(sum.rearrange(BY_1)).lane(0) * LANE_SHARE;
    ALL.set(FLOAT, y & IN_BOUNDS, all + rest);
  }

  /// Blocks of a type that is [supported][#supports] to F32: the same values as [Dequantize] gives.
  ///
  /// @param from, to addresses
  /// @param scratch address of [#scratchBytes] of [#elementsAtOnce]
  public static void unpack(Block type, long from, long blocks, long to, long scratch) {
    int size = type.blockSize();
    int columns = elementsAtOnce(type);
    long scales = scratch + columns;
    long minima = minimaAt(scratch, columns);
    long rest = restAt(scratch, columns);
    int shift = group(type) == 16 ? 0 : 1;
    int some = columns / size;
    for (long b = 0; b < blocks; b += some, to += 4L * columns) {
      int count = (int) Math.min(some, blocks - b);
      unpack(type, from + b * type.blockBytes(), count, scratch, scales, minima, rest);
      if (hasMinima(type)) {
        scale(scratch, scales, minima, shift, count * size, to);
      } else {
        scale(scratch, scales, shift, count * size, to);
      }
    }
  }

  /// The elements that [#unpack] has as bytes at a time: whole blocks.
  public static int elementsAtOnce(Block type) {
    return CHUNK / type.blockSize() * type.blockSize();
  }

  private static void scale(long w, long s, int shift, int columns, long to) {
    for (int g = 0; g < columns >> 4; g++) {
      long q = w + 16L * g & BASE;
      long y = to + 64L * g & BASE;
      float scale = ALL.get(FLOAT, s + 4L * (g >> shift) & IN_BOUNDS);
      for (int j = 0; j < 16; j += COUNT) {
        store(toFloat(bytes(q + j)).mul(scale), y + 4 * j);
      }
    }
  }

  private static void scale(long w, long s, long m, int shift, int columns, long to) {
    for (int g = 0; g < columns >> 4; g++) {
      long q = w + 16L * g & BASE;
      long y = to + 64L * g & BASE;
      float scale = ALL.get(FLOAT, s + 4L * (g >> shift) & IN_BOUNDS);
      float minimum = ALL.get(FLOAT, m + 4L * (g >> shift) & IN_BOUNDS);
      for (int j = 0; j < 16; j += COUNT) {
        store(toFloat(bytes(q + j)).mul(scale).add(minimum), y + 4 * j);
      }
    }
  }
}
