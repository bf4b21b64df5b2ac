package io.gatun.tensor.kernel.ggml;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.BY_1;
import static io.gatun.tensor.kernel.dense.Lanes.BY_2;
import static io.gatun.tensor.kernel.dense.Lanes.BY_4;
import static io.gatun.tensor.kernel.dense.Lanes.BY_8;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.INTS;
import static io.gatun.tensor.kernel.dense.Lanes.LANE_SHARE;
import static io.gatun.tensor.kernel.dense.Lanes.bytes;
import static io.gatun.tensor.kernel.dense.Lanes.floats;
import static io.gatun.tensor.kernel.dense.Lanes.store;
import static io.gatun.tensor.kernel.scalar.Floats.BYTE;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.dense.Lanes;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;

/// MXFP4 (OCP Microscaling Formats 1.0): groups of 32 values of F4 (E2M1) with one F8_E8M0 scale,
/// in the two layouts that files have.
///
/// In GGUF's ([DType.Block#MXFP4]) a group is its scale and 16 bytes, whose low nibbles are the
/// values 0..15 and whose high ones the values 16..31. In safetensors' ([DType.Block#MXFP4_PAIRS])
/// the scales are in a tensor of their own, and a byte's low nibble is the value before its high
/// one's.
///
/// A level is looked up by its magnitude, doubled, and gets its sign from the nibble's highest bit;
/// a scale is halved instead. As in ggml, a scale of 255, NaN in the specification, is 2^128.
public final class Mxfp4 {
  /// Elements that share a scale.
  public static final int GROUP = 32;

  /// Twice the magnitudes of F4, again and again.
  private static final IntVector LEVELS = levels();

  /// Twice the values of F4; null where a vector cannot hold them.
  private static final IntVector TABLE = COUNT == 16 ? table() : null;

  /// Half the values of F8_E8M0.
  private static final float[] HALF_SCALES = halfScales();

  private static final VectorShuffle<Float> FIRST_PAIRS = VectorShuffle.makeZip(FLOATS, 0);
  private static final VectorShuffle<Float> LAST_PAIRS = VectorShuffle.makeZip(FLOATS, 1);

  /// Below eight lanes a vector cannot hold the magnitudes.
  private static final boolean LOOKUP = COUNT >= 8;

  private Mxfp4() {}

  private static IntVector levels() {
    float[] doubled = {0, 1, 2, 3, 4, 6, 8, 12};
    var bits = new int[COUNT];
    for (int i = 0; i < COUNT; i++) {
      bits[i] = Float.floatToRawIntBits(doubled[i % 8]);
    }
    return IntVector.fromArray(INTS, bits, 0);
  }

  private static IntVector table() {
    var bits = new int[COUNT];
    for (int i = 0; i < COUNT; i++) {
      bits[i] = Float.floatToRawIntBits(Blocks32.MXFP4_LEVELS[i]);
    }
    return IntVector.fromArray(INTS, bits, 0);
  }

  private static float[] halfScales() {
    var scales = new float[256];
    for (int e = 0; e < 256; e++) {
      scales[e] = Math.scalb(1f, e - 128);
    }
    return scales;
  }

  /// `y[n] = sum over k of w[n][k] * x[k]`, for the rows n from `from` to `to`-1.
  ///
  /// @param type [DType.Block#MXFP4] or [DType.Block#MXFP4_PAIRS]
  /// @param w rows of `columns` elements, without gaps
  /// @param scales a byte for each group of w; not looked at where w has them itself
  /// @param x `columns` F32 from byte `xAt`; for MXFP4_PAIRS as [#split] orders them
  /// @param y F32 from byte `yAt`
  /// @throws IndexOutOfBoundsException if a segment is too small
  /// @throws IllegalArgumentException if a segment is on the heap
  public static void multiply(
      DType.Block type,
      MemorySegment w,
      MemorySegment scales,
      int columns,
      MemorySegment x,
      long xAt,
      long from,
      long to,
      MemorySegment y,
      long yAt) {
    boolean pairs = type == DType.Block.MXFP4_PAIRS;
    int step = type.blockBytes();
    long groups = columns / GROUP;
    long row = address(w, from * groups * step, (to - from) * groups * step);
    long scale = pairs ? address(scales, from * groups, (to - from) * groups) : row;
    long nibbles = pairs ? row : row + 1;
    long a = address(x, xAt, 4L * columns);
    long out = address(y, yAt + 4 * from, 4 * (to - from));
    int scaleStep = pairs ? 1 : step;
    for (long n = from; n < to; n++, out += 4) {
      float dot =
          TABLE != null && !pairs
              ? blocks(row, a, columns)
              : dot(nibbles, step, scale, scaleStep, a, columns);
      ALL.set(FLOAT, out, dot);
      row += groups * step;
      nibbles += groups * step;
      scale += groups * scaleStep;
    }
    Reference.reachabilityFence(w);
    Reference.reachabilityFence(scales);
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(y);
  }

  private static float dot(long nibbles, int step, long scale, int scaleStep, long x, int columns) {
    FloatVector sum = FloatVector.zero(FLOATS);
    long q = nibbles;
    long e = scale;
    for (long a = x, end = x + 4L * columns; a != end; a += 4 * GROUP, q += step, e += scaleStep) {
      FloatVector group = FloatVector.zero(FLOATS);
      for (int j = 0; j < 16; j += COUNT) {
        IntVector both = bytes(q + j);
        group = low(both).fma(floats(a + 4 * j), group);
        group = high(both).fma(floats(a + 64 + 4 * j), group);
      }
      sum = group.fma(FloatVector.broadcast(FLOATS, half(e)), sum);
    }
    sum = sum.add(sum.rearrange(BY_8));
    sum = sum.add(sum.rearrange(BY_4));
    sum = sum.add(sum.rearrange(BY_2));
    return sum.add(sum.rearrange(BY_1)).lane(0) * LANE_SHARE;
  }

  /// Rows of GGUF's blocks, two at a time, where a vector holds all values.
  private static float blocks(long w, long x, int columns) {
    FloatVector sum = FloatVector.zero(FLOATS);
    FloatVector second = sum;
    long end = x + 4L * columns;
    for (; x <= end - 8 * GROUP; w += 34, x += 8 * GROUP) {
      IntVector q = bytes(w + 1);
      IntVector r = bytes(w + 18);
      FloatVector a = q.and(15).selectFrom(TABLE).reinterpretAsFloats().mul(floats(x));
      FloatVector b = r.and(15).selectFrom(TABLE).reinterpretAsFloats().mul(floats(x + 128));
      IntVector u = q.lanewise(VectorOperators.LSHR, 4).and(15);
      a = u.selectFrom(TABLE).reinterpretAsFloats().fma(floats(x + 64), a);
      IntVector v = r.lanewise(VectorOperators.LSHR, 4).and(15);
      b = v.selectFrom(TABLE).reinterpretAsFloats().fma(floats(x + 192), b);
      sum = a.fma(FloatVector.broadcast(FLOATS, half(w)), sum);
      second = b.fma(FloatVector.broadcast(FLOATS, half(w + 17)), second);
    }
    if (x < end) {
      IntVector q = bytes(w + 1);
      FloatVector a = q.and(15).selectFrom(TABLE).reinterpretAsFloats().mul(floats(x));
      IntVector u = q.lanewise(VectorOperators.LSHR, 4).and(15);
      a = u.selectFrom(TABLE).reinterpretAsFloats().fma(floats(x + 64), a);
      sum = a.fma(FloatVector.broadcast(FLOATS, half(w)), sum);
    }
    sum = sum.add(second);
    sum = sum.add(sum.rearrange(BY_8));
    sum = sum.add(sum.rearrange(BY_4));
    sum = sum.add(sum.rearrange(BY_2));
    return sum.add(sum.rearrange(BY_1)).lane(0) * LANE_SHARE;
  }

  private static float half(long address) {
    return HALF_SCALES[ALL.get(BYTE, address & Lanes.IN_BOUNDS) & 0xFF];
  }

  /// Twice the values of the low nibbles of bytes.
  private static FloatVector low(IntVector bytes) {
    return signed(bytes.and(7), bytes.lanewise(VectorOperators.LSHL, 28));
  }

  private static FloatVector high(IntVector bytes) {
    IntVector shifted = bytes.lanewise(VectorOperators.LSHR, 4);
    return signed(shifted.and(7), bytes.lanewise(VectorOperators.LSHL, 24));
  }

  /// @param sign in its highest bit
  private static FloatVector signed(IntVector magnitude, IntVector sign) {
    IntVector level = LOOKUP ? magnitude.selectFrom(LEVELS) : computed(magnitude);
    return level.or(sign.and(0x80000000)).reinterpretAsFloats();
  }

  /// The doubled magnitudes 0, 1, 2, 3, 4, 6, 8, 12: `(2 + m % 2) << (m / 2 - 1)` from 2 on.
  private static IntVector computed(IntVector m) {
    IntVector exponent = m.lanewise(VectorOperators.LSHR, 1).sub(1).max(0);
    IntVector mantissa = m.and(1).add(m.lanewise(VectorOperators.LSHR, 1).min(1).mul(2));
    return Lanes.toFloat(mantissa.lanewise(VectorOperators.LSHL, exponent)).reinterpretAsInts();
  }

  /// Writes each group of 32 numbers with those at even places first, and those at odd ones then.
  ///
  /// @param x `n` F32 from byte `xAt`
  /// @param out as many from byte `outAt`
  public static void split(MemorySegment x, long xAt, MemorySegment out, long outAt, long n) {
    for (long i = 0; i < n; i += GROUP) {
      for (long j = 0; j < GROUP / 2; j++) {
        long to = outAt + 4 * (i + j);
        out.set(FLOAT, to, x.get(FLOAT, xAt + 4 * (i + 2 * j)));
        out.set(FLOAT, to + 64, x.get(FLOAT, xAt + 4 * (i + 2 * j + 1)));
      }
    }
  }

  /// Blocks of [DType.Block#MXFP4] to F32; `from` and `to` are addresses. Adding zero makes
  /// negative zeros positive, as [Blocks32] has them.
  static void unpack(long from, long to, long blocks) {
    for (long b = 0; b < blocks; b++, from += 17, to += 128) {
      float half = half(from);
      for (int j = 0; j < 16; j += COUNT) {
        IntVector both = bytes(from + 1 + j);
        store(low(both).mul(half).add(0f), to + 4L * j);
        store(high(both).mul(half).add(0f), to + 64 + 4L * j);
      }
    }
  }

  /// Groups of [DType.Block#MXFP4_PAIRS] to F32.
  ///
  /// @param first the first of `groups` groups
  /// @throws IndexOutOfBoundsException if a segment is too small
  /// @throws IllegalArgumentException if a segment is on the heap
  public static void pairsToFloat(
      MemorySegment w, MemorySegment scales, long first, long groups, MemorySegment dst, long at) {
    long q = address(w, first * 16, groups * 16);
    long e = address(scales, first, groups);
    long to = address(dst, at, groups * 128);
    for (long g = 0; g < groups; g++, q += 16, e++, to += 128) {
      float half = half(e);
      for (int j = 0; j < 16; j += COUNT) {
        IntVector both = bytes(q + j);
        FloatVector even = low(both).mul(half).add(0f);
        FloatVector odd = high(both).mul(half).add(0f);
        store(even.rearrange(FIRST_PAIRS, odd), to + 8L * j);
        store(even.rearrange(LAST_PAIRS, odd), to + 8L * j + 4L * COUNT);
      }
    }
    Reference.reachabilityFence(w);
    Reference.reachabilityFence(scales);
    Reference.reachabilityFence(dst);
  }

  /// The same without vectors, whatever memory it is.
  public static void scalarPairsToFloat(
      MemorySegment w, MemorySegment scales, long first, long groups, MemorySegment dst, long at) {
    for (long g = 0; g < groups; g++) {
      float half = HALF_SCALES[scales.get(BYTE, first + g) & 0xFF];
      for (int j = 0; j < 16; j++) {
        int q = w.get(BYTE, (first + g) * 16 + j);
        long to = at + 128 * g + 8L * j;
        dst.set(FLOAT, to, Blocks32.MXFP4_LEVELS[q & 0xF] * half);
        dst.set(FLOAT, to + 4, Blocks32.MXFP4_LEVELS[q >> 4 & 0xF] * half);
      }
    }
  }

  /// Value `at` of [DType.Block#MXFP4_PAIRS].
  public static float get(MemorySegment w, long at, int scale) {
    int q = w.get(BYTE, at / 2) >> (at % 2 * 4) & 0xF;
    return Blocks32.MXFP4_LEVELS[q] * HALF_SCALES[scale];
  }
}
