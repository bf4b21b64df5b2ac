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
import static io.gatun.tensor.kernel.dense.Lanes.LANE_SHARE;
import static io.gatun.tensor.kernel.dense.Lanes.bytes;
import static io.gatun.tensor.kernel.dense.Lanes.floats;
import static io.gatun.tensor.kernel.dense.Lanes.shorts;
import static io.gatun.tensor.kernel.dense.Lanes.spread;
import static io.gatun.tensor.kernel.dense.Lanes.toFloat;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.INT;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.dense.FirstCalls;
import io.gatun.tensor.kernel.dense.FirstProducts;
import io.gatun.tensor.kernel.dense.Lanes;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/// Dot products of weight rows, as a file stores them, with one row of F32 activations: what
/// [Unpack] and a dot product would give, without the way through memory.
public final class RowDots {
  /// 2^23 and 2^19 as floats: or-ed in, an integer in the lowest bits, or four bits further up,
  /// adds its value.
  private static final int LOW = 0x4B000000;

  private static final int HIGH = 0x49000000;

  /// Longer rows are of models for which it pays to wait until kernels are compiled.
  private static final int FIRST_COLUMNS = 512;

  private enum Kernel {
    F16(DType.Plain.F16),
    BF16(DType.Plain.BF16),
    Q4_0(DType.Block.Q4_0),
    Q4_1(DType.Block.Q4_1),
    Q5_0(DType.Block.Q5_0),
    Q5_1(DType.Block.Q5_1),
    Q8_0(DType.Block.Q8_0),
    IQ4_NL(DType.Block.IQ4_NL),
    IQ4_XS(DType.Block.IQ4_XS);

    private final DType type;

    Kernel(DType type) {
      this.type = type;
    }
  }

  private static final Kernel[] KERNELS = Kernel.values();

  private RowDots() {}

  /// Whether there is a kernel for rows of so many elements of the type.
  public static boolean supports(DType type, int columns) {
    boolean table = type == DType.Block.IQ4_NL || type == DType.Block.IQ4_XS;
    return kernel(type) != null
        && columns % Math.max(16, type.blockSize()) == 0
        && (TableDots.AVAILABLE || !table);
  }

  private static Kernel kernel(DType type) {
    for (Kernel kernel : KERNELS) {
      if (kernel.type == type) {
        return kernel;
      }
    }
    return null;
  }

  /// `y[n] = sum over k of w[n][k] * x[k]`, for the rows n from `from` to `to`-1.
  ///
  /// Scales and F16 weights are taken to be finite.
  ///
  /// @param w rows of `columns` elements, without gaps, from byte `wAt`
  /// @param x `columns` F32 from byte `xAt`
  /// @param y F32 from byte `yAt`
  /// @throws IndexOutOfBoundsException if a segment is too small
  /// @throws IllegalArgumentException if a segment is on the heap or the type is not supported
  public static void multiply(
      DType type,
      MemorySegment w,
      long wAt,
      int columns,
      MemorySegment x,
      long xAt,
      long from,
      long to,
      MemorySegment y,
      long yAt) {
    if (!supports(type, columns)) {
      throw new IllegalArgumentException(
          "no dot product of rows of %d %s; unpack them".formatted(columns, type.name()));
    }
    long rowBytes = (long) columns / type.blockSize() * type.blockBytes();
    long row = address(w, wAt + from * rowBytes, (to - from) * rowBytes);
    long a = address(x, xAt, 4L * columns);
    long out = address(y, yAt + 4 * from, 4 * (to - from));
    if (type instanceof DType.Plain plain && columns <= FIRST_COLUMNS && FirstCalls.isServed()) {
      FirstProducts.dots(plain, w, wAt, columns, x, xAt, from, to, y, yAt);
      return;
    }
    Kernel kernel = kernel(type);
    for (long n = from; n < to; n++, row += rowBytes, out += 4) {
      ALL.set(FLOAT, out, dot(kernel, row, a, columns));
    }
    Reference.reachabilityFence(w);
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(y);
  }

  private static float dot(Kernel kernel, long row, long x, int columns) {
    return switch (kernel) {
      case F16 -> f16(row, x, columns);
      case BF16 -> bf16(row, x, columns);
      case Q4_0 -> q40(row, x, columns);
      case Q4_1 -> q41(row, x, columns);
      case Q5_0 -> q50(row, x, columns);
      case Q5_1 -> q51(row, x, columns);
      case Q8_0 -> q80(row, x, columns);
      case IQ4_NL -> TableDots.iq4nl(row, x, columns);
      case IQ4_XS -> TableDots.iq4xs(row, x, columns);
    };
  }

  private static float f16(long w, long x, int columns) {
    FloatVector s0 = FloatVector.zero(FLOATS);
    FloatVector s1 = FloatVector.zero(FLOATS);
    int k = 0;
    for (; k <= columns - 2 * COUNT; k += 2 * COUNT) {
      s0 = Lanes.finiteF16(w + 2 * k).fma(floats(x + 4 * k), s0);
      s1 = Lanes.finiteF16(w + 2 * k + 2 * COUNT).fma(floats(x + 4 * k + 4 * COUNT), s1);
    }
    if (k < columns) {
      s0 = Lanes.finiteF16(w + 2 * k).fma(floats(x + 4 * k), s0);
    }
    FloatVector v = s0.add(s1);
    v = v.add(v.rearrange(BY_8));
    v = v.add(v.rearrange(BY_4));
    v = v.add(v.rearrange(BY_2));
    return v.add(v.rearrange(BY_1)).lane(0) * LANE_SHARE;
  }

  private static float bf16(long w, long x, int columns) {
    FloatVector s0 = FloatVector.zero(FLOATS);
    FloatVector s1 = FloatVector.zero(FLOATS);
    int k = 0;
    for (; k <= columns - 2 * COUNT; k += 2 * COUNT) {
      s0 = Lanes.bf16(shorts(w + 2 * k)).fma(floats(x + 4 * k), s0);
      s1 = Lanes.bf16(shorts(w + 2 * k + 2 * COUNT)).fma(floats(x + 4 * k + 4 * COUNT), s1);
    }
    if (k < columns) {
      s0 = Lanes.bf16(shorts(w + 2 * k)).fma(floats(x + 4 * k), s0);
    }
    FloatVector v = s0.add(s1);
    v = v.add(v.rearrange(BY_8));
    v = v.add(v.rearrange(BY_4));
    v = v.add(v.rearrange(BY_2));
    return v.add(v.rearrange(BY_1)).lane(0) * LANE_SHARE;
  }

  private static float q40(long w, long x, int columns) {
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int b = 0; b < columns >> 5; b++) {
      long block = w + 18L * b & BASE;
      long xs = x + 128L * b & BASE;
      FloatVector part = FloatVector.zero(FLOATS);
      for (int j = 0; j < 16; j += COUNT) {
        IntVector q = bytes(block + 2 + j);
        FloatVector low = q.and(0xF).or(LOW).reinterpretAsFloats().sub(0x1p23f + 8);
        FloatVector high = q.and(0xF0).or(HIGH).reinterpretAsFloats().sub(0x1p19f + 8);
        part = low.fma(floats(xs + 4 * j), part);
        part = high.fma(floats(xs + 64 + 4 * j), part);
      }
      sum = part.fma(FloatVector.broadcast(FLOATS, Lanes.f16(block)), sum);
    }
    sum = sum.add(sum.rearrange(BY_8));
    sum = sum.add(sum.rearrange(BY_4));
    sum = sum.add(sum.rearrange(BY_2));
    return sum.add(sum.rearrange(BY_1)).lane(0) * LANE_SHARE;
  }

  private static float q41(long w, long x, int columns) {
    FloatVector sum = FloatVector.zero(FLOATS);
    FloatVector minima = FloatVector.zero(FLOATS);
    for (int b = 0; b < columns >> 5; b++) {
      long block = w + 20L * b & BASE;
      long xs = x + 128L * b & BASE;
      FloatVector part = FloatVector.zero(FLOATS);
      FloatVector all = FloatVector.zero(FLOATS);
      for (int j = 0; j < 16; j += COUNT) {
        IntVector q = bytes(block + 4 + j);
        FloatVector a = floats(xs + 4 * j);
        FloatVector c = floats(xs + 64 + 4 * j);
        part = q.and(0xF).or(LOW).reinterpretAsFloats().sub(0x1p23f).fma(a, part);
        part = q.and(0xF0).or(HIGH).reinterpretAsFloats().sub(0x1p19f).fma(c, part);
        all = a.add(c).add(all);
      }
      sum = part.fma(FloatVector.broadcast(FLOATS, Lanes.f16(block)), sum);
      minima = all.fma(FloatVector.broadcast(FLOATS, Lanes.f16(block + 2)), minima);
    }
    FloatVector v = sum.add(minima);
    v = v.add(v.rearrange(BY_8));
    v = v.add(v.rearrange(BY_4));
    v = v.add(v.rearrange(BY_2));
    return v.add(v.rearrange(BY_1)).lane(0) * LANE_SHARE;
  }

  private static float q50(long w, long x, int columns) {
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int b = 0; b < columns >> 5; b++) {
      long block = w + 22L * b & BASE;
      long xs = x + 128L * b & BASE;
      FloatVector part = FloatVector.zero(FLOATS);
      int fifth = ALL.get(INT, block + 2);
      for (int j = 0; j < 16; j += COUNT) {
        IntVector q = bytes(block + 6 + j);
        IntVector l = q.and(0xF).or(spread(fifth, j).lanewise(VectorOperators.LSHL, 4));
        IntVector h = q.and(0xF0).or(spread(fifth, 16 + j).lanewise(VectorOperators.LSHL, 8));
        FloatVector low = l.or(LOW).reinterpretAsFloats().sub(0x1p23f + 16);
        FloatVector high = h.or(HIGH).reinterpretAsFloats().sub(0x1p19f + 16);
        part = low.fma(floats(xs + 4 * j), part);
        part = high.fma(floats(xs + 64 + 4 * j), part);
      }
      sum = part.fma(FloatVector.broadcast(FLOATS, Lanes.f16(block)), sum);
    }
    sum = sum.add(sum.rearrange(BY_8));
    sum = sum.add(sum.rearrange(BY_4));
    sum = sum.add(sum.rearrange(BY_2));
    return sum.add(sum.rearrange(BY_1)).lane(0) * LANE_SHARE;
  }

  private static float q51(long w, long x, int columns) {
    FloatVector sum = FloatVector.zero(FLOATS);
    FloatVector minima = FloatVector.zero(FLOATS);
    for (int b = 0; b < columns >> 5; b++) {
      long block = w + 24L * b & BASE;
      long xs = x + 128L * b & BASE;
      FloatVector part = FloatVector.zero(FLOATS);
      FloatVector all = FloatVector.zero(FLOATS);
      int fifth = ALL.get(INT, block + 4);
      for (int j = 0; j < 16; j += COUNT) {
        IntVector q = bytes(block + 8 + j);
        IntVector l = q.and(0xF).or(spread(fifth, j).lanewise(VectorOperators.LSHL, 4));
        IntVector h = q.and(0xF0).or(spread(fifth, 16 + j).lanewise(VectorOperators.LSHL, 8));
        FloatVector a = floats(xs + 4 * j);
        FloatVector c = floats(xs + 64 + 4 * j);
        part = l.or(LOW).reinterpretAsFloats().sub(0x1p23f).fma(a, part);
        part = h.or(HIGH).reinterpretAsFloats().sub(0x1p19f).fma(c, part);
        all = a.add(c).add(all);
      }
      sum = part.fma(FloatVector.broadcast(FLOATS, Lanes.f16(block)), sum);
      minima = all.fma(FloatVector.broadcast(FLOATS, Lanes.f16(block + 2)), minima);
    }
    FloatVector v = sum.add(minima);
    v = v.add(v.rearrange(BY_8));
    v = v.add(v.rearrange(BY_4));
    v = v.add(v.rearrange(BY_2));
    return v.add(v.rearrange(BY_1)).lane(0) * LANE_SHARE;
  }

  private static float q80(long w, long x, int columns) {
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int b = 0; b < columns >> 5; b++) {
      long block = w + 34L * b & BASE;
      long xs = x + 128L * b & BASE;
      FloatVector part = FloatVector.zero(FLOATS);
      FloatVector other = FloatVector.zero(FLOATS);
      for (int j = 0; j < 16; j += COUNT) {
        part = toFloat(bytes(block + 2 + j)).fma(floats(xs + 4 * j), part);
        other = toFloat(bytes(block + 18 + j)).fma(floats(xs + 64 + 4 * j), other);
      }
      sum = part.add(other).fma(FloatVector.broadcast(FLOATS, Lanes.f16(block)), sum);
    }
    sum = sum.add(sum.rearrange(BY_8));
    sum = sum.add(sum.rearrange(BY_4));
    sum = sum.add(sum.rearrange(BY_2));
    return sum.add(sum.rearrange(BY_1)).lane(0) * LANE_SHARE;
  }
}
