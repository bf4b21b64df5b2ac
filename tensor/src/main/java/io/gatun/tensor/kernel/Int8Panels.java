package io.gatun.tensor.kernel;

import static io.gatun.ffm.RawMemory.ALL;
import static io.gatun.ffm.RawMemory.address;
import static io.gatun.tensor.kernel.Elements.FLOAT;
import static io.gatun.tensor.kernel.Lanes.COUNT;
import static io.gatun.tensor.kernel.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.Lanes.INTS;
import static io.gatun.tensor.kernel.Lanes.ORDER;
import static io.gatun.tensor.kernel.Lanes.floats;
import static io.gatun.tensor.kernel.Lanes.store;
import static io.gatun.tensor.kernel.Lanes.toFloat;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/// Many activation rows times tiled weights through an int8 matrix product.
///
/// The weights become int8 with one scale a row, in the panels that int8 dot-product instructions
/// read, as [TiledPanels] makes them; the activations become u8 = round(x / scale) + 128 with one
/// scale a row. With s32 products P and sums of a weight row S: `y = activation scale * weight scale
/// * (P - 128 S)`.
public final class Int8Panels {
  private static final float ROUND = 0x1.8p23f;

  private Int8Panels() {}

  /// Quantizes a row of activations to u8 with zero point 128.
  ///
  /// @param n a multiple of 32
  /// @return the scale; not finite if an activation is not
  public static float quantize(MemorySegment x, long xAt, int n, MemorySegment q, long qAt) {
    long from = address(x, xAt, 4L * n);
    long to = address(q, qAt, n);
    FloatVector most = FloatVector.zero(Lanes.FLOATS);
    for (int i = 0; i < n; i += COUNT) {
      most = most.max(floats(from + 4L * i).abs());
    }
    float max = most.reduceLanes(VectorOperators.MAX);
    float inverse = max == 0 ? 0 : 127 / max;
    for (int i = 0; i < n; i += COUNT) {
      var v = floats(from + 4L * i).mul(inverse).add(ROUND).reinterpretAsInts().add(128);
      Lanes.storeBytes(v, to + i);
    }
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(q);
    return max / 127;
  }

  /// `y[t][c] = rowScales[t] * scales[c] * (products[t][c] - sums[c])` for some rows and `n` columns.
  ///
  /// @param products I32, rows `stride` elements apart, from byte `productsAt`
  /// @param rowScales one F32 a row from byte `rowScalesAt`
  /// @param scales F32 from byte `scalesAt`
  /// @param sums I32 from byte `sumsAt`
  /// @param n a multiple of 32
  /// @param y F32, rows `yStride` bytes apart, from byte `yAt`
  public static void scale(
      MemorySegment products,
      long productsAt,
      int stride,
      MemorySegment rowScales,
      long rowScalesAt,
      MemorySegment scales,
      long scalesAt,
      MemorySegment sums,
      long sumsAt,
      int rows,
      int n,
      MemorySegment y,
      long yAt,
      long yStride) {
    long p = address(products, productsAt, 4L * ((rows - 1) * (long) stride + n));
    long a = address(rowScales, rowScalesAt, 4L * rows);
    long w = address(scales, scalesAt, 4L * n);
    long s = address(sums, sumsAt, 4L * n);
    long to = address(y, yAt, (rows - 1) * yStride + 4L * n);
    for (int t = 0; t < rows; t++, p += 4L * stride, to += yStride) {
      float scale = ALL.get(FLOAT, a + 4L * t);
      for (long c = 0; c < 4L * n; c += 4L * COUNT) {
        IntVector v = ints(p + c).sub(ints(s + c));
        store(toFloat(v).mul(floats(w + c).mul(scale)), to + c);
      }
    }
    Reference.reachabilityFence(products);
    Reference.reachabilityFence(rowScales);
    Reference.reachabilityFence(scales);
    Reference.reachabilityFence(sums);
    Reference.reachabilityFence(y);
  }

  private static IntVector ints(long address) {
    return IntVector.fromMemorySegment(INTS, ALL, address & IN_BOUNDS, ORDER);
  }
}
