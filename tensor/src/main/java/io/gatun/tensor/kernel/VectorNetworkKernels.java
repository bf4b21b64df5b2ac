package io.gatun.tensor.kernel;

import static io.gatun.ffm.RawMemory.ALL;
import static io.gatun.ffm.RawMemory.address;
import static io.gatun.tensor.kernel.Lanes.COUNT;
import static io.gatun.tensor.kernel.Lanes.FLOATS;
import static io.gatun.tensor.kernel.Lanes.IN_BOUNDS;
import static io.gatun.tensor.kernel.Lanes.ORDER;
import static io.gatun.tensor.kernel.Lanes.floats;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/// The loops of [NetworkKernels] on the Vector API. The memory's arenas stay open during a call.
public final class VectorNetworkKernels implements NetworkKernels {
  private static FloatVector floatsOf(long address, VectorMask<Float> mask) {
    return FloatVector.fromMemorySegment(FLOATS, ALL, address & IN_BOUNDS, ORDER, mask);
  }

  private static void store(FloatVector v, long address) {
    Lanes.store(v, address);
  }

  private static void store(FloatVector v, long address, VectorMask<Float> mask) {
    v.intoMemorySegment(ALL, address & IN_BOUNDS, ORDER, mask);
  }

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
    int whole = FLOATS.loopBound(n);
    var rest = FLOATS.indexInRange(whole, n);
    long tail = 4L * whole;
    var sum = FloatVector.zero(FLOATS);
    for (long i = 0; i < tail; i += 4 * COUNT) {
      sum = sum.add(floats(from + i));
    }
    sum = sum.add(floatsOf(from + tail, rest));
    float mean = Lanes.sum(sum) / n;
    var squares = FloatVector.zero(FLOATS);
    for (long i = 0; i < tail; i += 4 * COUNT) {
      var d = floats(from + i).sub(mean);
      squares = d.fma(d, squares);
    }
    var last = floatsOf(from + tail, rest).sub(mean);
    squares = squares.add(last.mul(last), rest);
    float r = (float) (1 / Math.sqrt(Lanes.sum(squares) / n + eps));
    for (long i = 0; i < tail; i += 4 * COUNT) {
      store(floats(from + i).sub(mean).mul(r).fma(floats(w + i), floats(b + i)), to + i);
    }
    store(
        last.mul(r).fma(floatsOf(w + tail, rest), floatsOf(b + tail, rest)), to + tail, rest);
  }

  @Override
  public void addMoments(
      MemorySegment x,
      long xAt,
      MemorySegment origin,
      long originAt,
      int n,
      MemorySegment sums,
      long sumsAt) {
    long from = address(x, xAt, 4L * n);
    long o = address(origin, originAt, 4L * n);
    long s = address(sums, sumsAt, 8L * n);
    long q = s + 4L * n;
    long tail = 4L * FLOATS.loopBound(n);
    for (long i = 0; i < tail; i += 4 * COUNT) {
      var d = floats(from + i).sub(floats(o + i));
      store(floats(s + i).add(d), s + i);
      store(d.fma(d, floats(q + i)), q + i);
    }
    if (tail < 4L * n) {
      var rest = FLOATS.indexInRange(tail / 4, n);
      var d = floatsOf(from + tail, rest).sub(floatsOf(o + tail, rest));
      store(floatsOf(s + tail, rest).add(d), s + tail, rest);
      store(d.fma(d, floatsOf(q + tail, rest)), q + tail, rest);
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
    for (long i = 0; i < tail; i += 4 * COUNT) {
      store(floats(from + i).fma(floats(f + i), floats(t + i)), to + i);
    }
    if (tail < 4L * n) {
      var rest = FLOATS.indexInRange(tail / 4, n);
      var y = floatsOf(from + tail, rest).fma(floatsOf(f + tail, rest), floatsOf(t + tail, rest));
      store(y, to + tail, rest);
    }
  }

  @Override
  public void relu(MemorySegment x, long xAt, int n, MemorySegment out, long outAt) {
    long from = address(x, xAt, 4L * n);
    long to = address(out, outAt, 4L * n);
    long tail = 4L * FLOATS.loopBound(n);
    for (long i = 0; i < tail; i += 4 * COUNT) {
      store(floats(from + i).max(0), to + i);
    }
    if (tail < 4L * n) {
      var rest = FLOATS.indexInRange(tail / 4, n);
      store(floatsOf(from + tail, rest).max(0), to + tail, rest);
    }
  }

  @Override
  public void swish(MemorySegment x, long xAt, float alpha, int n, MemorySegment out, long outAt) {
    long from = address(x, xAt, 4L * n);
    long to = address(out, outAt, 4L * n);
    long tail = 4L * FLOATS.loopBound(n);
    for (long i = 0; i < tail; i += 4 * COUNT) {
      store(VectorMath.swish(floats(from + i), alpha), to + i);
    }
    if (tail < 4L * n) {
      var rest = FLOATS.indexInRange(tail / 4, n);
      store(VectorMath.swish(floatsOf(from + tail, rest), alpha), to + tail, rest);
    }
  }

  @Override
  public void gelu(MemorySegment x, long xAt, int n, MemorySegment out, long outAt) {
    long from = address(x, xAt, 4L * n);
    long to = address(out, outAt, 4L * n);
    long tail = 4L * FLOATS.loopBound(n);
    for (long i = 0; i < tail; i += 4 * COUNT) {
      store(VectorMath.gelu(floats(from + i)), to + i);
    }
    if (tail < 4L * n) {
      var rest = FLOATS.indexInRange(tail / 4, n);
      store(VectorMath.gelu(floatsOf(from + tail, rest)), to + tail, rest);
    }
  }

  @Override
  public void geluTanh(MemorySegment x, long xAt, int n, MemorySegment out, long outAt) {
    long from = address(x, xAt, 4L * n);
    long to = address(out, outAt, 4L * n);
    long tail = 4L * FLOATS.loopBound(n);
    for (long i = 0; i < tail; i += 4 * COUNT) {
      store(VectorMath.geluTanh(floats(from + i)), to + i);
    }
    if (tail < 4L * n) {
      var rest = FLOATS.indexInRange(tail / 4, n);
      store(VectorMath.geluTanh(floatsOf(from + tail, rest)), to + tail, rest);
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
    for (long i = 0; i < tail; i += 4 * COUNT) {
      store(floats(from + i).mul(VectorMath.gelu(floats(g + i))), to + i);
    }
    if (tail < 4L * n) {
      var rest = FLOATS.indexInRange(tail / 4, n);
      var y = floatsOf(from + tail, rest).mul(VectorMath.gelu(floatsOf(g + tail, rest)));
      store(y, to + tail, rest);
    }
  }
}
