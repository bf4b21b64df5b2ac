package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.BY_1;
import static io.gatun.tensor.kernel.dense.Lanes.BY_2;
import static io.gatun.tensor.kernel.dense.Lanes.BY_4;
import static io.gatun.tensor.kernel.dense.Lanes.BY_8;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.LANE_SHARE;
import static io.gatun.tensor.kernel.dense.Lanes.floats;
import static io.gatun.tensor.kernel.dense.Lanes.store;

import io.gatun.tensor.kernel.scalar.NetworkKernels;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/// The loops of [NetworkKernels] on the Vector API. The memory's arenas stay open during a call.
public final class VectorNetworkKernels implements NetworkKernels {
  private static final long STEP = 4L * COUNT;

  @Override
  public void layerNorm(
      MemorySegment x,
      long xAt,
      MemorySegment weight,
      MemorySegment bias,
      float eps,
      int n,
      MemorySegment out,
      long outAt) {
    long from = address(x, xAt, 4L * n);
    long to = address(out, outAt, 4L * n);
    long w = address(weight, 0, 4L * n);
    long b = address(bias, 0, 4L * n);
    float mean = sum(from, n) / n;
    float r = (float) (1 / Math.sqrt(squares(from, mean, n) / n + eps));
    normalize(from, mean, r, w, b, n, to);
  }

  // Three kernels: where one is longer, the compiler leaves the calls in its last loop.

  private static float sum(long from, int n) {
    long pairs = 4L * (n - n % (2 * COUNT));
    var a0 = FloatVector.zero(FLOATS);
    var a1 = FloatVector.zero(FLOATS);
    for (long i = 0; i < pairs; i += 2 * STEP) {
      a0 = floats(from + i).add(a0);
      a1 = floats(from + i + STEP).add(a1);
    }
    for (long i = pairs; i < 4L * n; i += STEP) {
      a0 = floats(from + i, FLOATS.indexInRange(i / 4, n)).add(a0);
    }
    var a = a0.add(a1);
    a = a.add(a.rearrange(BY_8));
    a = a.add(a.rearrange(BY_4));
    a = a.add(a.rearrange(BY_2));
    return a.add(a.rearrange(BY_1)).lane(0) * LANE_SHARE;
  }

  /// The sum of the squares of how far the values are from their mean.
  private static float squares(long from, float mean, int n) {
    long pairs = 4L * (n - n % (2 * COUNT));
    var m = FloatVector.broadcast(FLOATS, mean);
    var s0 = FloatVector.zero(FLOATS);
    var s1 = FloatVector.zero(FLOATS);
    for (long i = 0; i < pairs; i += 2 * STEP) {
      var d0 = floats(from + i).sub(m);
      var d1 = floats(from + i + STEP).sub(m);
      s0 = d0.fma(d0, s0);
      s1 = d1.fma(d1, s1);
    }
    for (long i = pairs; i < 4L * n; i += STEP) {
      var rest = FLOATS.indexInRange(i / 4, n);
      var d = floats(from + i, rest).sub(m);
      s0 = s0.add(d.mul(d), rest);
    }
    var s = s0.add(s1);
    s = s.add(s.rearrange(BY_8));
    s = s.add(s.rearrange(BY_4));
    s = s.add(s.rearrange(BY_2));
    return s.add(s.rearrange(BY_1)).lane(0) * LANE_SHARE;
  }

  private static void normalize(
      long from, float mean, float r, long weight, long bias, int n, long to) {
    var m = FloatVector.broadcast(FLOATS, mean);
    long tail = 4L * FLOATS.loopBound(n);
    for (long i = 0; i < tail; i += STEP) {
      var normal = floats(from + i).sub(m).mul(r);
      store(normal.fma(floats(weight + i), floats(bias + i)), to + i);
    }
    if (tail < 4L * n) {
      var rest = FLOATS.indexInRange(tail / 4, n);
      var normal = floats(from + tail, rest).sub(m).mul(r);
      store(normal.fma(floats(weight + tail, rest), floats(bias + tail, rest)), to + tail, rest);
    }
  }

  @Override
  public void addMoments(
      MemorySegment x,
      long xAt,
      int rows,
      MemorySegment origin,
      long originAt,
      int n,
      MemorySegment sums,
      long sumsAt) {
    long row = 4L * n;
    long from = address(x, xAt, rows * row);
    long o = address(origin, originAt, row);
    long s = address(sums, sumsAt, 2 * row);
    long q = s + row;
    long i = 0;
    for (long end = 4L * (n - n % (2 * COUNT)); i < end; i += 2 * STEP) {
      var o0 = floats(o + i);
      var o1 = floats(o + i + STEP);
      var s0 = floats(s + i);
      var s1 = floats(s + i + STEP);
      var q0 = floats(q + i);
      var q1 = floats(q + i + STEP);
      long at = from + i;
      for (int r = 0; r < rows; r++, at += row) {
        var d0 = floats(at).sub(o0);
        var d1 = floats(at + STEP).sub(o1);
        s0 = d0.add(s0);
        s1 = d1.add(s1);
        q0 = d0.fma(d0, q0);
        q1 = d1.fma(d1, q1);
      }
      store(s0, s + i);
      store(s1, s + i + STEP);
      store(q0, q + i);
      store(q1, q + i + STEP);
    }
    for (; i < row; i += STEP) {
      var rest = FLOATS.indexInRange(0, (row - i) / 4);
      var o0 = floats(o + i, rest);
      var s0 = floats(s + i, rest);
      var q0 = floats(q + i, rest);
      long at = from + i;
      for (int r = 0; r < rows; r++, at += row) {
        var d0 = floats(at, rest).sub(o0);
        s0 = d0.add(s0);
        q0 = d0.fma(d0, q0);
      }
      store(s0, s + i, rest);
      store(q0, q + i, rest);
    }
  }

  @Override
  public void scaleShift(
      MemorySegment x,
      long xAt,
      MemorySegment factors,
      long factorsAt,
      int n,
      MemorySegment out,
      long outAt) {
    long from = address(x, xAt, 4L * n);
    long to = address(out, outAt, 4L * n);
    long f = address(factors, factorsAt, 8L * n);
    long t = f + 4L * n;
    long tail = 4L * FLOATS.loopBound(n);
    for (long i = 0; i < tail; i += STEP) {
      store(floats(from + i).fma(floats(f + i), floats(t + i)), to + i);
    }
    if (tail < 4L * n) {
      var rest = FLOATS.indexInRange(tail / 4, n);
      var y = floats(from + tail, rest).fma(floats(f + tail, rest), floats(t + tail, rest));
      store(y, to + tail, rest);
    }
  }

  @Override
  public void relu(MemorySegment x, long xAt, int n, MemorySegment out, long outAt) {
    long from = address(x, xAt, 4L * n);
    long to = address(out, outAt, 4L * n);
    long tail = 4L * FLOATS.loopBound(n);
    for (long i = 0; i < tail; i += STEP) {
      store(floats(from + i).max(0), to + i);
    }
    if (tail < 4L * n) {
      var rest = FLOATS.indexInRange(tail / 4, n);
      store(floats(from + tail, rest).max(0), to + tail, rest);
    }
  }

  @Override
  public void swish(MemorySegment x, long xAt, float alpha, int n, MemorySegment out, long outAt) {
    long from = address(x, xAt, 4L * n);
    long to = address(out, outAt, 4L * n);
    long tail = 4L * FLOATS.loopBound(n);
    for (long i = 0; i < tail; i += STEP) {
      store(VectorMath.swish(floats(from + i), alpha), to + i);
    }
    if (tail < 4L * n) {
      var rest = FLOATS.indexInRange(tail / 4, n);
      store(VectorMath.swish(floats(from + tail, rest), alpha), to + tail, rest);
    }
  }

  @Override
  public void gelu(MemorySegment x, long xAt, int n, MemorySegment out, long outAt) {
    long from = address(x, xAt, 4L * n);
    long to = address(out, outAt, 4L * n);
    long tail = 4L * FLOATS.loopBound(n);
    for (long i = 0; i < tail; i += STEP) {
      store(VectorMath.gelu(floats(from + i)), to + i);
    }
    if (tail < 4L * n) {
      var rest = FLOATS.indexInRange(tail / 4, n);
      store(VectorMath.gelu(floats(from + tail, rest)), to + tail, rest);
    }
  }

  @Override
  public void geluTanh(MemorySegment x, long xAt, int n, MemorySegment out, long outAt) {
    long from = address(x, xAt, 4L * n);
    long to = address(out, outAt, 4L * n);
    long tail = 4L * FLOATS.loopBound(n);
    for (long i = 0; i < tail; i += STEP) {
      store(VectorMath.geluTanh(floats(from + i)), to + i);
    }
    if (tail < 4L * n) {
      var rest = FLOATS.indexInRange(tail / 4, n);
      store(VectorMath.geluTanh(floats(from + tail, rest)), to + tail, rest);
    }
  }

  @Override
  public void geglu(
      MemorySegment x,
      long xAt,
      MemorySegment gate,
      long gateAt,
      int n,
      MemorySegment out,
      long outAt) {
    long from = address(x, xAt, 4L * n);
    long g = address(gate, gateAt, 4L * n);
    long to = address(out, outAt, 4L * n);
    long tail = 4L * FLOATS.loopBound(n);
    for (long i = 0; i < tail; i += STEP) {
      store(floats(from + i).mul(VectorMath.gelu(floats(g + i))), to + i);
    }
    if (tail < 4L * n) {
      var rest = FLOATS.indexInRange(tail / 4, n);
      var y = floats(from + tail, rest).mul(VectorMath.gelu(floats(g + tail, rest)));
      store(y, to + tail, rest);
    }
  }
}
