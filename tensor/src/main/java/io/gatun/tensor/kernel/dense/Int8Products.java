package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.INTS;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.ORDER;
import static io.gatun.tensor.kernel.dense.Lanes.ROUND;
import static io.gatun.tensor.kernel.dense.Lanes.floats;
import static io.gatun.tensor.kernel.dense.Lanes.toFloat;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/// Integer products of many activation rows with weight rows, which the scales of both make floats.
///
/// The weights were int8 with one scale a row, as [io.gatun.tensor.kernel.tiled.TiledPanels] makes
/// them; the activations u8 = round(x / scale) + 128 with one scale a row. With s32 products P and
/// sums of a weight row S: `y = activation scale * weight scale * (P - 128 S)`.
///
/// @param memory holds the next three
/// @param products I32 (rows, columns), from this byte on
/// @param scales one F32 for each column, from this byte on
/// @param sums one I32 for each column, from this byte on: 128 S
/// @param rowScales one F32 for each row, from byte `rowScalesAt` on
public record Int8Products(
    MemorySegment memory,
    long products,
    long scales,
    long sums,
    int columns,
    MemorySegment rowScales,
    long rowScalesAt,
    int rows) {
  /// Rounds a row to 8 bits: `q = round(x / scale) + zero`, ties to even.
  ///
  /// @param n a multiple of 32
  /// @param zero 128 for u8, as activations are here; 0 for s8, as weights are
  /// @return the scale, which takes the greatest magnitude to 127; not finite if a value is not
  public static float quantize(
      MemorySegment x, long xAt, int n, int zero, MemorySegment q, long qAt) {
    long from = address(x, xAt, 4L * n);
    long to = address(q, qAt, n);
    FloatVector most = FloatVector.zero(Lanes.FLOATS);
    for (int i = 0; i < n; i += COUNT) {
      most = floats(from + 4L * i).abs().max(most);
    }
    float max = most.reduceLanes(VectorOperators.MAX);
    float inverse = max == 0 ? 0 : 127 / max;
    for (int i = 0; i < n; i += COUNT) {
      var v = floats(from + 4L * i).mul(inverse).add(ROUND).reinterpretAsInts().add(zero);
      Lanes.storeBytes(v, to + i);
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
      sum = Lanes.bytes(from + i).add(sum);
    }
    Reference.reachabilityFence(q);
    return sum.reduceLanes(VectorOperators.ADD);
  }

  /// Stores the first `n` columns as floats.
  ///
  /// @param n a multiple of 32
  /// @param y F32, rows `yStride` bytes apart, from byte `yAt`
  public void store(int n, MemorySegment y, long yAt, long yStride) {
    long p = address(memory, products, 4L * rows * columns);
    long a = address(rowScales, rowScalesAt, 4L * rows);
    long w = address(memory, scales, 4L * n);
    long s = address(memory, sums, 4L * n);
    long to = address(y, yAt, (rows - 1) * yStride + 4L * n);
    store(p, a, w, s, rows, 4L * columns, 4L * n, to, yStride);
    fence(y);
  }

  private static void store(
      long p, long a, long w, long s, int rows, long stride, long bytes, long to, long yStride) {
    for (int t = 0; t < rows; t++, p += stride, to += yStride) {
      float scale = ALL.get(FLOAT, a + 4L * t);
      for (long c = 0; c < bytes; c += 4L * COUNT) {
        IntVector v = ints(p + c).sub(ints(s + c));
        Lanes.store(toFloat(v).mul(floats(w + c).mul(scale)), to + c);
      }
    }
  }

  /// Leaves the floats where the products are.
  public void toFloats() {
    store(columns, memory, products, 4L * columns);
  }

  private void fence(MemorySegment y) {
    Reference.reachabilityFence(memory);
    Reference.reachabilityFence(rowScales);
    Reference.reachabilityFence(y);
  }

  private static IntVector ints(long address) {
    return IntVector.fromMemorySegment(INTS, ALL, address & IN_BOUNDS, ORDER);
  }
}
