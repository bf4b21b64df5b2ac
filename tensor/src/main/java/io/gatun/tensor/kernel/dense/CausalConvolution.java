package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.dense.Lanes.ORDER;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/// A convolution of each channel with W taps of its own: `out[t] = bias + sum of weight[j] x[t +
/// j]` over j = 0 .. W - 1, so that of `rows` rows of output W - 1 more are read.
public final class CausalConvolution {
  private static final VectorSpecies<Float> F = Lanes.FLOATS;
  private static final int L = F.length();

  private CausalConvolution() {}

  /// Some channels of all rows.
  ///
  /// @param vectors whether the Vector API is used
  /// @param x rows of `stride` elements
  /// @param weight (W, `weightStride`)
  /// @param bias null for none
  /// @param n channels
  /// @param out rows of `outStride` elements
  public static void rows(
      boolean vectors,
      MemorySegment x,
      long xAt,
      int stride,
      MemorySegment weight,
      long weightAt,
      int weightStride,
      int taps,
      MemorySegment bias,
      long biasAt,
      int n,
      MemorySegment out,
      long outAt,
      int outStride,
      int rows) {
    long from = address(x, xAt, 4L * (rows + taps - 2) * stride + 4L * n);
    long w = address(weight, weightAt, 4L * (taps - 1) * weightStride + 4L * n);
    long b = bias == null ? 0 : address(bias, biasAt, 4L * n);
    long to = address(out, outAt, 4L * (rows - 1) * outStride + 4L * n);
    int whole = vectors ? F.loopBound(n) : 0;
    for (int t = 0; t < rows; t++) {
      long row = from + 4L * t * stride;
      long y = to + 4L * t * outStride;
      vector(row, 4L * stride, w, 4L * weightStride, taps, b, whole, y);
      scalar(row, 4L * stride, w, 4L * weightStride, taps, b, whole, n, y);
    }
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(weight);
    Reference.reachabilityFence(bias);
    Reference.reachabilityFence(out);
  }

  private static void vector(
      long x, long step, long weight, long weightStep, int taps, long bias, int n, long out) {
    for (int i = 0; i < n; i += L) {
      long at = 4L * i;
      var sum =
          bias == 0
              ? FloatVector.zero(F)
              : FloatVector.fromMemorySegment(F, ALL, bias + at & IN_BOUNDS, ORDER);
      for (int j = 0; j < taps; j++) {
        sum =
            FloatVector.fromMemorySegment(F, ALL, x + j * step + at & IN_BOUNDS, ORDER)
                .fma(
                    FloatVector.fromMemorySegment(
                        F, ALL, weight + j * weightStep + at & IN_BOUNDS, ORDER),
                    sum);
      }
      sum.intoMemorySegment(ALL, out + at & IN_BOUNDS, ORDER);
    }
  }

  private static void scalar(
      long x,
      long step,
      long weight,
      long weightStep,
      int taps,
      long bias,
      int from,
      int n,
      long out) {
    for (int i = from; i < n; i++) {
      double sum = bias == 0 ? 0 : ALL.get(FLOAT, bias + 4L * i);
      for (int j = 0; j < taps; j++) {
        sum +=
            (double) ALL.get(FLOAT, x + j * step + 4L * i)
                * ALL.get(FLOAT, weight + j * weightStep + 4L * i);
      }
      ALL.set(FLOAT, out + 4L * i, (float) sum);
    }
  }
}
