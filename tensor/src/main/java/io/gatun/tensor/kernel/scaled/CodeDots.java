package io.gatun.tensor.kernel.scaled;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.BY_1;
import static io.gatun.tensor.kernel.dense.Lanes.BY_2;
import static io.gatun.tensor.kernel.dense.Lanes.BY_4;
import static io.gatun.tensor.kernel.dense.Lanes.BY_8;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.INTS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.ORDER;
import static io.gatun.tensor.kernel.dense.Lanes.floats;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.INT;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/// Dot products of rows of four-bit codes, which stand for sixteen numbers, and have scales beside
/// them (F4 of MXFP4 and NVFP4, and tables), with one row of F32 activations. They need vectors of
/// sixteen lanes, which hold the table.
///
/// A vector is 128 codes, eight in a row to a lane, so that a lane is of one group, and the sums of
/// lanes are scaled at once. The activations of a step are in the order in which the codes are
/// taken out, see [#order].
public final class CodeDots {
  /// Columns of a vector.
  public static final int STEP = 128;

  /// Whether this machine has such vectors.
  public static final boolean AVAILABLE = COUNT == 16;

  /// The values of F4 (E2M1).
  private static final float[] F4 = {
    0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0f, -0.5f, -1, -1.5f, -2, -3, -4, -6
  };

  private static final IntVector F4_TABLE = table(F4);

  /// How far up the scales of a vector's lanes are in words of four bytes: of groups of 32, and of
  /// 16, whose second eight lanes have a word of their own.
  private static final IntVector BYTE_OF_32 = shifts(2);

  private static final IntVector BYTE_OF_16 = shifts(1);

  private static final VectorMask<Float> UPPER = VectorMask.fromLong(FLOATS, 0xFF00);
  private static final VectorMask<Integer> UPPER_INTS = VectorMask.fromLong(INTS, 0xFF00);

  /// What the exponent's bias of F8_E4M3 differs by from a float's.
  private static final float E4M3_BIAS = 0x1p120f;

  private CodeDots() {}

  /// The values of F4.
  public static float[] f4() {
    return F4.clone();
  }

  private static IntVector shifts(int log) {
    var shifts = new int[COUNT];
    for (int i = 0; i < COUNT; i++) {
      shifts[i] = (i >> log & 3) * 8;
    }
    return IntVector.fromArray(INTS, shifts, 0);
  }

  private static IntVector table(float[] levels) {
    var bits = new int[Math.max(16, COUNT)];
    for (int i = 0; i < 16; i++) {
      bits[i] = Float.floatToRawIntBits(levels[i]);
    }
    return IntVector.fromArray(INTS, bits, 0);
  }

  /// Floats of a row of so many columns in the kernels' order.
  public static int orderedColumns(int columns) {
    return Math.ceilDiv(columns, STEP) * STEP;
  }

  /// Writes a row of activations in the order that the kernels read them in. Where the columns are
  /// no whole vectors, the last vector is that of the last columns, and has zeros for those that
  /// the one before it has too.
  ///
  /// @param x `columns` F32 from byte `xAt`, at least [#STEP]
  /// @param highFirst whether a byte's first code is in its high half
  /// @param out [#orderedColumns] F32 from byte `outAt`
  public static void order(
      MemorySegment x, long xAt, int columns, boolean highFirst, MemorySegment out, long outAt) {
    int flip = highFirst ? 1 : 0;
    long from = address(x, xAt, 4L * columns);
    long to = address(out, outAt, 4L * orderedColumns(columns));
    for (int done = 0; done < columns; done += STEP, to += 4 * STEP) {
      int first = Math.min(done, columns - STEP);
      for (int k = 0; k < STEP; k++) {
        float value = first + k < done ? 0 : ALL.get(FLOAT, from + 4L * (first + k));
        ALL.set(FLOAT, to + 4L * ((k % 8 ^ flip) * 16 + k / 8), value);
      }
    }
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(out);
  }

  /// `y[n] = sum over k of F4(w[n][k]) * F8_E8M0(scales[n][k / 32]) * x[k]`, for the rows n from
  /// `from` to `to`-1. As in ggml, a scale of 255, NaN in the specification, is 2^128.
  ///
  /// @param w rows of `columns` codes, low halves first, without gaps
  /// @param scales a byte for each 32 of w
  /// @param columns a multiple of 32, at least [#STEP]
  /// @param x F32 as [#order] writes them
  /// @param y F32 from byte `yAt`
  /// @throws IndexOutOfBoundsException if a segment is too small
  /// @throws IllegalArgumentException if a segment is on the heap
  public static void mxfp4(
      MemorySegment w,
      MemorySegment scales,
      int columns,
      MemorySegment x,
      long xAt,
      long from,
      long to,
      MemorySegment y,
      long yAt) {
    long rowBytes = columns / 2;
    long groups = columns / 32;
    long row = address(w, from * rowBytes, (to - from) * rowBytes);
    long scale = address(scales, from * groups, (to - from) * groups);
    long a = address(x, xAt, 4L * orderedColumns(columns));
    long out = address(y, yAt + 4 * from, 4 * (to - from));
    for (long n = from; n < to; n++, row += rowBytes, scale += groups, out += 4) {
      ALL.set(FLOAT, out, 2 * mxfp4(row, scale, a, columns));
    }
    Reference.reachabilityFence(w);
    Reference.reachabilityFence(scales);
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(y);
  }

  /// Half the product, since twice the greatest scale is no float. Half a scale is made as the
  /// product of two powers of two, so that the smallest become subnormal.
  private static float mxfp4(long w, long s, long x, int columns) {
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int done = 0; done < columns; done += STEP, x += 4 * STEP) {
      int k = Math.min(done, columns - STEP);
      IntVector v = IntVector.fromMemorySegment(INTS, ALL, w + k / 2 & IN_BOUNDS, ORDER);
      FloatVector even = FloatVector.zero(FLOATS);
      FloatVector odd = even;
      for (int j = 0; j < 8; j += 2) {
        even = value(v, 4 * j, F4_TABLE).fma(floats(x + 64 * j), even);
        odd = value(v, 4 * j + 4, F4_TABLE).fma(floats(x + 64 * j + 64), odd);
      }
      IntVector e =
          IntVector.broadcast(INTS, ALL.get(INT, s + k / 32 & IN_BOUNDS))
              .lanewise(VectorOperators.LSHR, BYTE_OF_32)
              .and(0xFF);
      IntVector half = e.lanewise(VectorOperators.LSHR, 1);
      FloatVector a = half.add(63).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
      FloatVector b = e.sub(half).add(63).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
      sum = even.add(odd).fma(a.mul(b), sum);
    }
    sum = sum.add(sum.rearrange(BY_8));
    sum = sum.add(sum.rearrange(BY_4));
    sum = sum.add(sum.rearrange(BY_2));
    return sum.add(sum.rearrange(BY_1)).lane(0);
  }

  /// `y[n] = sum over k of F4(w[n][k]) * F8_E4M3(scales[n][k / 16]) * factor * x[k]`, for the rows
  /// n from `from` to `to`-1.
  ///
  /// @param w rows of `columns` codes, low halves first, without gaps
  /// @param scales a byte for each 16 of w
  /// @param columns a multiple of [#STEP]
  /// @param x F32 as [#order] writes them
  /// @param y F32 from byte `yAt`
  /// @throws IndexOutOfBoundsException if a segment is too small
  /// @throws IllegalArgumentException if a segment is on the heap
  public static void nvfp4(
      MemorySegment w,
      MemorySegment scales,
      float factor,
      int columns,
      MemorySegment x,
      long xAt,
      long from,
      long to,
      MemorySegment y,
      long yAt) {
    long rowBytes = columns / 2;
    long groups = columns / 16;
    long row = address(w, from * rowBytes, (to - from) * rowBytes);
    long scale = address(scales, from * groups, (to - from) * groups);
    long a = address(x, xAt, 4L * columns);
    long out = address(y, yAt + 4 * from, 4 * (to - from));
    for (long n = from; n < to; n++, row += rowBytes, scale += groups, out += 4) {
      ALL.set(FLOAT, out, nvfp4(row, scale, a, columns) * E4M3_BIAS * factor);
    }
    Reference.reachabilityFence(w);
    Reference.reachabilityFence(scales);
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(y);
  }

  private static float nvfp4(long w, long s, long x, int columns) {
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int k = 0; k < columns; k += STEP, w += STEP / 2, s += 8, x += 4 * STEP) {
      IntVector v = IntVector.fromMemorySegment(INTS, ALL, w & IN_BOUNDS, ORDER);
      FloatVector even = FloatVector.zero(FLOATS);
      FloatVector odd = even;
      for (int j = 0; j < 8; j += 2) {
        even = value(v, 4 * j, F4_TABLE).fma(floats(x + 64 * j), even);
        odd = value(v, 4 * j + 4, F4_TABLE).fma(floats(x + 64 * j + 64), odd);
      }
      IntVector upper = IntVector.broadcast(INTS, ALL.get(INT, s + 4 & IN_BOUNDS));
      FloatVector scale =
          IntVector.broadcast(INTS, ALL.get(INT, s & IN_BOUNDS))
              .blend(upper, UPPER_INTS)
              .lanewise(VectorOperators.LSHR, BYTE_OF_16)
              .lanewise(VectorOperators.LSHL, 20)
              .and(0x07F00000)
              .reinterpretAsFloats();
      sum = even.add(odd).fma(scale, sum);
    }
    sum = sum.add(sum.rearrange(BY_8));
    sum = sum.add(sum.rearrange(BY_4));
    sum = sum.add(sum.rearrange(BY_2));
    return sum.add(sum.rearrange(BY_1)).lane(0);
  }

  /// `y[n] = sum over k of levels[w[n][k]] * scales[n][k / group] * x[k]`, for the rows n from
  /// `from` to `to`-1.
  ///
  /// @param w rows of `columns` codes, high halves first, without gaps
  /// @param scales F32, `columns / group` for each row
  /// @param levels 16 F32
  /// @param columns a multiple of [#STEP]
  /// @param group a multiple of 64
  /// @param x F32 as [#order] writes them
  /// @param y F32 from byte `yAt`
  /// @throws IndexOutOfBoundsException if a segment is too small
  /// @throws IllegalArgumentException if a segment is on the heap
  public static void codes(
      MemorySegment w,
      MemorySegment scales,
      MemorySegment levels,
      int columns,
      int group,
      MemorySegment x,
      long xAt,
      long from,
      long to,
      MemorySegment y,
      long yAt) {
    long rowBytes = columns / 2;
    long groups = columns / group;
    long row = address(w, from * rowBytes, (to - from) * rowBytes);
    long scale = address(scales, 4 * from * groups, 4 * (to - from) * groups);
    long table = address(levels, 0, 64);
    long a = address(x, xAt, 4L * columns);
    long out = address(y, yAt + 4 * from, 4 * (to - from));
    for (long n = from; n < to; n++, row += rowBytes, scale += 4 * groups, out += 4) {
      ALL.set(FLOAT, out, codes(row, scale, table, a, columns, group));
    }
    Reference.reachabilityFence(w);
    Reference.reachabilityFence(scales);
    Reference.reachabilityFence(levels);
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(y);
  }

  /// What the codes from bit `shift` of each lane stand for.
  private static FloatVector value(IntVector codes, int shift, IntVector table) {
    return codes
        .lanewise(VectorOperators.LSHR, shift)
        .and(15)
        .selectFrom(table)
        .reinterpretAsFloats();
  }

  private static float codes(long w, long s, long levels, long x, int columns, int group) {
    IntVector table = IntVector.fromMemorySegment(INTS, ALL, levels & IN_BOUNDS, ORDER);
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int k = 0; k < columns; k += STEP, w += STEP / 2, x += 4 * STEP) {
      float s0 = ALL.get(FLOAT, s + 4L * (k / group) & IN_BOUNDS);
      float s1 = ALL.get(FLOAT, s + 4L * ((k + 64) / group) & IN_BOUNDS);
      IntVector v = IntVector.fromMemorySegment(INTS, ALL, w & IN_BOUNDS, ORDER);
      FloatVector even = FloatVector.zero(FLOATS);
      FloatVector odd = FloatVector.zero(FLOATS);
      for (int j = 0; j < 8; j += 2) {
        FloatVector a = value(v, 4 * j, table);
        even = a.fma(floats(x + 64 * j), even);
        FloatVector b = value(v, 4 * j + 4, table);
        odd = b.fma(floats(x + 64 * j + 64), odd);
      }
      FloatVector scale =
          FloatVector.broadcast(FLOATS, s0).blend(FloatVector.broadcast(FLOATS, s1), UPPER);
      sum = scale.fma(even, sum);
      sum = scale.fma(odd, sum);
    }
    sum = sum.add(sum.rearrange(BY_8));
    sum = sum.add(sum.rearrange(BY_4));
    sum = sum.add(sum.rearrange(BY_2));
    return sum.add(sum.rearrange(BY_1)).lane(0);
  }
}
