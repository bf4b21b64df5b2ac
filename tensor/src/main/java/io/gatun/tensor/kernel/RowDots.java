package io.gatun.tensor.kernel;

import static io.gatun.ffm.RawMemory.ALL;
import static io.gatun.ffm.RawMemory.address;
import static io.gatun.tensor.kernel.Elements.BYTE;
import static io.gatun.tensor.kernel.Elements.FLOAT;
import static io.gatun.tensor.kernel.Lanes.COUNT;
import static io.gatun.tensor.kernel.Lanes.FLOATS;
import static io.gatun.tensor.kernel.Lanes.bytes;
import static io.gatun.tensor.kernel.Lanes.f16;
import static io.gatun.tensor.kernel.Lanes.floats;
import static io.gatun.tensor.kernel.Lanes.shorts;
import static io.gatun.tensor.kernel.Lanes.toFloat;

import io.gatun.tensor.DType;
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

  private RowDots() {}

  /// Whether there is a kernel for the type.
  public static boolean supports(DType type) {
    return type == DType.Plain.F16
        || type == DType.Plain.BF16
        || type == DType.Block.Q4_0
        || type == DType.Block.Q8_0
        || type == DType.Block.Q4_K
        || type == DType.Block.Q6_K;
  }

  /// `y[n] = sum over k of w[n][k] * x[k]`, for the rows n from `from` to `to`-1.
  ///
  /// @param w rows of `columns` elements, without gaps, from byte `wAt`
  /// @param columns a multiple of the block size, and of 16
  /// @param x `columns` F32 from byte `xAt`
  /// @param y F32 from byte `yAt`
  /// @throws IndexOutOfBoundsException if a segment is too small
  /// @throws IllegalArgumentException if a segment is on the heap or there is no such kernel
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
    long rowBytes = (long) columns / type.blockSize() * type.blockBytes();
    long row = address(w, wAt + from * rowBytes, (to - from) * rowBytes);
    long a = address(x, xAt, 4L * columns);
    long out = address(y, yAt + 4 * from, 4 * (to - from));
    for (long n = from; n < to; n++, row += rowBytes, out += 4) {
      float dot =
          switch (type) {
            case DType.Plain.F16 -> f16(row, a, columns);
            case DType.Plain.BF16 -> bf16(row, a, columns);
            case DType.Block.Q4_0 -> q40(row, a, columns);
            case DType.Block.Q8_0 -> q80(row, a, columns);
            case DType.Block.Q4_K -> q4k(row, a, columns);
            case DType.Block.Q6_K -> q6k(row, a, columns);
            default -> throw new IllegalArgumentException("no dot product for " + type.name());
          };
      ALL.set(FLOAT, out, dot);
    }
    Reference.reachabilityFence(w);
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(y);
  }

  private static float f16(long w, long x, int columns) {
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int k = 0; k < columns; k += COUNT) {
      sum = Lanes.f16(shorts(w + 2 * k)).fma(floats(x + 4 * k), sum);
    }
    return sum.reduceLanes(VectorOperators.ADD);
  }

  private static float bf16(long w, long x, int columns) {
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int k = 0; k < columns; k += COUNT) {
      sum = Lanes.bf16(shorts(w + 2 * k)).fma(floats(x + 4 * k), sum);
    }
    return sum.reduceLanes(VectorOperators.ADD);
  }

  private static float q40(long w, long x, int columns) {
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int k = 0; k < columns; k += 32, w += 18, x += 128) {
      FloatVector block = FloatVector.zero(FLOATS);
      for (int j = 0; j < 16; j += COUNT) {
        IntVector q = bytes(w + 2 + j);
        FloatVector low = q.and(0xF).or(LOW).reinterpretAsFloats().sub(0x1p23f + 8);
        FloatVector high = q.and(0xF0).or(HIGH).reinterpretAsFloats().sub(0x1p19f + 8);
        block = low.fma(floats(x + 4 * j), block);
        block = high.fma(floats(x + 64 + 4 * j), block);
      }
      sum = block.fma(FloatVector.broadcast(FLOATS, Lanes.f16(w)), sum);
    }
    return sum.reduceLanes(VectorOperators.ADD);
  }

  private static float q80(long w, long x, int columns) {
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int k = 0; k < columns; k += 32, w += 34, x += 128) {
      FloatVector block = FloatVector.zero(FLOATS);
      for (int j = 0; j < 32; j += COUNT) {
        block = toFloat(bytes(w + 2 + j)).fma(floats(x + 4 * j), block);
      }
      sum = block.fma(FloatVector.broadcast(FLOATS, Lanes.f16(w)), sum);
    }
    return sum.reduceLanes(VectorOperators.ADD);
  }

  private static float q4k(long w, long x, int columns) {
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int k = 0; k < columns; k += 256, w += 144) {
      float d = Lanes.f16(w);
      float m = Lanes.f16(w + 2);
      long scales = VectorBlocks.scales(w + 4);
      long mins = VectorBlocks.mins(w + 4);
      for (int pair = 0; pair < 4; pair++, x += 256, scales >>>= 16, mins >>>= 16) {
        FloatVector lowScale = FloatVector.broadcast(FLOATS, d * (scales & 63));
        FloatVector lowMin = FloatVector.broadcast(FLOATS, -m * (mins & 63));
        FloatVector highScale = FloatVector.broadcast(FLOATS, d * (scales >>> 8 & 63));
        FloatVector highMin = FloatVector.broadcast(FLOATS, -m * (mins >>> 8 & 63));
        for (int j = 0; j < 32; j += COUNT) {
          IntVector q = bytes(w + 16 + pair * 32 + j);
          FloatVector low = toFloat(q.and(0xF)).fma(lowScale, lowMin);
          FloatVector high =
              toFloat(q.lanewise(VectorOperators.LSHR, 4).and(0xF)).fma(highScale, highMin);
          sum = low.fma(floats(x + 4 * j), sum);
          sum = high.fma(floats(x + 128 + 4 * j), sum);
        }
      }
    }
    return sum.reduceLanes(VectorOperators.ADD);
  }

  private static float q6k(long w, long x, int columns) {
    FloatVector sum = FloatVector.zero(FLOATS);
    for (int k = 0; k < columns; k += 256, w += 210) {
      FloatVector block = FloatVector.zero(FLOATS);
      for (int half = 0; half < 2; half++, x += 512) {
        long ql = w + half * 64;
        long qh = w + 128 + half * 32;
        long scales = w + 192 + half * 8;
        for (int j = 0; j < 32; j += COUNT) {
          IntVector first = bytes(ql + j);
          IntVector second = bytes(ql + 32 + j);
          IntVector high = bytes(qh + j);
          IntVector q0 = first.and(0xF).or(high.and(3).lanewise(VectorOperators.LSHL, 4));
          IntVector q1 = second.and(0xF).or(high.and(12).lanewise(VectorOperators.LSHL, 2));
          IntVector q2 = first.lanewise(VectorOperators.LSHR, 4).and(0xF).or(high.and(0x30));
          IntVector q3 =
              second
                  .lanewise(VectorOperators.LSHR, 4)
                  .and(0xF)
                  .or(high.lanewise(VectorOperators.LSHR, 2).and(0x30));
          long s = scales + j / 16;
          block = toFloat(q0.sub(32)).mul((float) ALL.get(BYTE, s)).fma(floats(x + 4 * j), block);
          block =
              toFloat(q1.sub(32))
                  .mul((float) ALL.get(BYTE, s + 2))
                  .fma(floats(x + 128 + 4 * j), block);
          block =
              toFloat(q2.sub(32))
                  .mul((float) ALL.get(BYTE, s + 4))
                  .fma(floats(x + 256 + 4 * j), block);
          block =
              toFloat(q3.sub(32))
                  .mul((float) ALL.get(BYTE, s + 6))
                  .fma(floats(x + 384 + 4 * j), block);
        }
      }
      sum = block.fma(FloatVector.broadcast(FLOATS, Lanes.f16(w + 208)), sum);
    }
    return sum.reduceLanes(VectorOperators.ADD);
  }
}
