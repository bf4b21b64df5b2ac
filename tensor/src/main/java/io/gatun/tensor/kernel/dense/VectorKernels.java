package io.gatun.tensor.kernel.dense;

import static io.gatun.tensor.kernel.dense.Lanes.BY_1;
import static io.gatun.tensor.kernel.dense.Lanes.BY_2;
import static io.gatun.tensor.kernel.dense.Lanes.BY_4;
import static io.gatun.tensor.kernel.dense.Lanes.BY_8;
import static io.gatun.tensor.kernel.dense.Lanes.LANE_SHARE;
import static io.gatun.tensor.kernel.dense.Lanes.floats;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import io.gatun.tensor.kernel.scalar.Kernels;
import io.gatun.tensor.kernel.scalar.ScalarKernels;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/// The loops of [Kernels] on the Vector API, at the machine's preferred width.
public class VectorKernels implements Kernels {
  private static final VectorSpecies<Float> F = Lanes.FLOATS;
  private static final int L = F.length();
  private static final long STEP = 4L * L;
  private static final ByteOrder ORDER = ByteOrder.nativeOrder();
  private static final VectorShuffle<Float> SWAP_PAIRS = VectorShuffle.fromOp(F, i -> i ^ 1);

  @Override
  public void rmsNorm(
      MemorySegment x,
      long xAt,
      MemorySegment weight,
      long weightAt,
      float eps,
      int n,
      MemorySegment out,
      long outAt) {
    float r = (float) (1 / Math.sqrt((double) dot(x, xAt, x, xAt, n) / n + eps));
    int bound = F.loopBound(n);
    for (int i = 0; i < bound; i += L) {
      long at = 4L * i;
      FloatVector.fromMemorySegment(F, x, xAt + at, ORDER)
          .mul(r)
          .mul(FloatVector.fromMemorySegment(F, weight, weightAt + at, ORDER))
          .intoMemorySegment(out, outAt + at, ORDER);
    }
    if (bound < n) {
      var tail = F.indexInRange(bound, n);
      long at = 4L * bound;
      floats(x, xAt + at, tail)
          .mul(r)
          .mul(floats(weight, weightAt + at, tail))
          .intoMemorySegment(out, outAt + at, ORDER, tail);
    }
  }

  @Override
  public void add(
      MemorySegment x, long xAt, MemorySegment y, long yAt, long n, MemorySegment out, long outAt) {
    long end = 4 * F.loopBound(n);
    for (long at = 0; at < end; at += STEP) {
      FloatVector.fromMemorySegment(F, x, xAt + at, ORDER)
          .add(FloatVector.fromMemorySegment(F, y, yAt + at, ORDER))
          .intoMemorySegment(out, outAt + at, ORDER);
    }
    if (end < 4 * n) {
      var tail = F.indexInRange(end / 4, n);
      floats(x, xAt + end, tail)
          .add(floats(y, yAt + end, tail))
          .intoMemorySegment(out, outAt + end, ORDER, tail);
    }
  }

  @Override
  public void mul(
      MemorySegment x, long xAt, MemorySegment y, long yAt, long n, MemorySegment out, long outAt) {
    long end = 4 * F.loopBound(n);
    for (long at = 0; at < end; at += STEP) {
      FloatVector.fromMemorySegment(F, x, xAt + at, ORDER)
          .mul(FloatVector.fromMemorySegment(F, y, yAt + at, ORDER))
          .intoMemorySegment(out, outAt + at, ORDER);
    }
    if (end < 4 * n) {
      var tail = F.indexInRange(end / 4, n);
      floats(x, xAt + end, tail)
          .mul(floats(y, yAt + end, tail))
          .intoMemorySegment(out, outAt + end, ORDER, tail);
    }
  }

  @Override
  public void scale(
      MemorySegment x, long xAt, float factor, long n, MemorySegment out, long outAt) {
    long end = 4 * F.loopBound(n);
    for (long at = 0; at < end; at += STEP) {
      FloatVector.fromMemorySegment(F, x, xAt + at, ORDER)
          .mul(factor)
          .intoMemorySegment(out, outAt + at, ORDER);
    }
    if (end < 4 * n) {
      var tail = F.indexInRange(end / 4, n);
      floats(x, xAt + end, tail).mul(factor).intoMemorySegment(out, outAt + end, ORDER, tail);
    }
  }

  @Override
  public void addScaled(
      MemorySegment x, long xAt, float factor, long n, MemorySegment out, long outAt) {
    var f = FloatVector.broadcast(F, factor);
    long end = 4 * F.loopBound(n);
    for (long at = 0; at < end; at += STEP) {
      FloatVector.fromMemorySegment(F, x, xAt + at, ORDER)
          .fma(f, FloatVector.fromMemorySegment(F, out, outAt + at, ORDER))
          .intoMemorySegment(out, outAt + at, ORDER);
    }
    if (end < 4 * n) {
      var tail = F.indexInRange(end / 4, n);
      floats(x, xAt + end, tail)
          .fma(f, floats(out, outAt + end, tail))
          .intoMemorySegment(out, outAt + end, ORDER, tail);
    }
  }

  @Override
  public void siluMul(
      MemorySegment gate,
      long gateAt,
      MemorySegment up,
      long upAt,
      long n,
      MemorySegment out,
      long outAt) {
    long end = 4 * F.loopBound(n);
    for (long at = 0; at < end; at += STEP) {
      var g = FloatVector.fromMemorySegment(F, gate, gateAt + at, ORDER);
      g.div(VectorMath.exp(g.neg()).add(1f))
          .mul(FloatVector.fromMemorySegment(F, up, upAt + at, ORDER))
          .intoMemorySegment(out, outAt + at, ORDER);
    }
    if (end < 4 * n) {
      var tail = F.indexInRange(end / 4, n);
      var g = floats(gate, gateAt + end, tail);
      g.div(VectorMath.exp(g.neg()).add(1f))
          .mul(floats(up, upAt + end, tail))
          .intoMemorySegment(out, outAt + end, ORDER, tail);
    }
  }

  @Override
  public void sigmoidMul(
      MemorySegment gate,
      long gateAt,
      MemorySegment x,
      long xAt,
      long n,
      MemorySegment out,
      long outAt) {
    long end = 4 * F.loopBound(n);
    for (long at = 0; at < end; at += STEP) {
      FloatVector.fromMemorySegment(F, x, xAt + at, ORDER)
          .div(
              VectorMath.exp(FloatVector.fromMemorySegment(F, gate, gateAt + at, ORDER).neg())
                  .add(1f))
          .intoMemorySegment(out, outAt + at, ORDER);
    }
    if (end < 4 * n) {
      var tail = F.indexInRange(end / 4, n);
      floats(x, xAt + end, tail)
          .div(VectorMath.exp(floats(gate, gateAt + end, tail).neg()).add(1f))
          .intoMemorySegment(out, outAt + end, ORDER, tail);
    }
  }

  /// tanh(u) is 1 - 2 / (e^2u + 1).
  @Override
  public void softcap(MemorySegment x, long xAt, float cap, int n, MemorySegment out, long outAt) {
    long end = 4L * F.loopBound(n);
    for (long at = 0; at < end; at += STEP) {
      var e =
          VectorMath.exp(FloatVector.fromMemorySegment(F, x, xAt + at, ORDER).mul(2 / cap)).add(1f);
      FloatVector.broadcast(F, cap)
          .sub(FloatVector.broadcast(F, 2 * cap).div(e))
          .intoMemorySegment(out, outAt + at, ORDER);
    }
    if (end < 4L * n) {
      var tail = F.indexInRange(end / 4, n);
      var e = VectorMath.exp(floats(x, xAt + end, tail).mul(2 / cap)).add(1f);
      FloatVector.broadcast(F, cap)
          .sub(FloatVector.broadcast(F, 2 * cap).div(e))
          .intoMemorySegment(out, outAt + end, ORDER, tail);
    }
  }

  @Override
  public void rope(
      MemorySegment x,
      long xAt,
      MemorySegment cos,
      MemorySegment sin,
      long tableAt,
      int n,
      boolean interleaved) {
    if (interleaved ? n % L != 0 : n % (2 * L) != 0) {
      new ScalarKernels().rope(x, xAt, cos, sin, tableAt, n, interleaved);
    } else if (interleaved) {
      for (long at = 0; at < 4L * n; at += STEP) {
        var v = FloatVector.fromMemorySegment(F, x, xAt + at, ORDER);
        v.mul(FloatVector.fromMemorySegment(F, cos, tableAt + at, ORDER))
            .add(
                v.rearrange(SWAP_PAIRS)
                    .mul(FloatVector.fromMemorySegment(F, sin, tableAt + at, ORDER)))
            .intoMemorySegment(x, xAt + at, ORDER);
      }
    } else {
      long half = 2L * n;
      for (long at = 0; at < half; at += STEP) {
        var a = FloatVector.fromMemorySegment(F, x, xAt + at, ORDER);
        var b = FloatVector.fromMemorySegment(F, x, xAt + half + at, ORDER);
        a.mul(FloatVector.fromMemorySegment(F, cos, tableAt + at, ORDER))
            .add(b.mul(FloatVector.fromMemorySegment(F, sin, tableAt + at, ORDER)))
            .intoMemorySegment(x, xAt + at, ORDER);
        b.mul(FloatVector.fromMemorySegment(F, cos, tableAt + half + at, ORDER))
            .add(a.mul(FloatVector.fromMemorySegment(F, sin, tableAt + half + at, ORDER)))
            .intoMemorySegment(x, xAt + half + at, ORDER);
      }
    }
  }

  @Override
  public float expSum(MemorySegment x, long xAt, float max, int n) {
    var sum = FloatVector.zero(F);
    long end = 4L * F.loopBound(n);
    for (long at = 0; at < end; at += STEP) {
      var e = VectorMath.exp(FloatVector.fromMemorySegment(F, x, xAt + at, ORDER).sub(max));
      e.intoMemorySegment(x, xAt + at, ORDER);
      sum = e.add(sum);
    }
    if (end < 4L * n) {
      var tail = F.indexInRange(end / 4, n);
      var e = VectorMath.exp(floats(x, xAt + end, tail).sub(max));
      e.intoMemorySegment(x, xAt + end, ORDER, tail);
      sum = sum.add(e, tail);
    }
    sum = sum.add(sum.rearrange(BY_8));
    sum = sum.add(sum.rearrange(BY_4));
    sum = sum.add(sum.rearrange(BY_2));
    return sum.add(sum.rearrange(BY_1)).lane(0) * LANE_SHARE;
  }

  @Override
  public float max(MemorySegment x, long xAt, long n) {
    var max = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
    long end = 4 * F.loopBound(n);
    for (long at = 0; at < end; at += STEP) {
      max = FloatVector.fromMemorySegment(F, x, xAt + at, ORDER).max(max);
    }
    if (end < 4 * n) {
      var tail = F.indexInRange(end / 4, n);
      max = max.lanewise(VectorOperators.MAX, floats(x, xAt + end, tail), tail);
    }
    return max.reduceLanes(VectorOperators.MAX);
  }

  @Override
  public float quantize(MemorySegment x, long xAt, int n, int zero, MemorySegment q, long qAt) {
    return Int8Rows.quantize(x, xAt, n, zero, q, qAt);
  }

  @Override
  public float dot(MemorySegment a, long aAt, MemorySegment b, long bAt, int n) {
    var s0 = FloatVector.zero(F);
    var s1 = FloatVector.zero(F);
    var s2 = FloatVector.zero(F);
    var s3 = FloatVector.zero(F);
    long at = 0;
    for (long end = 4L * (n - n % (4 * L)); at < end; at += 4 * STEP) {
      s0 =
          FloatVector.fromMemorySegment(F, a, aAt + at, ORDER)
              .fma(FloatVector.fromMemorySegment(F, b, bAt + at, ORDER), s0);
      s1 =
          FloatVector.fromMemorySegment(F, a, aAt + at + STEP, ORDER)
              .fma(FloatVector.fromMemorySegment(F, b, bAt + at + STEP, ORDER), s1);
      s2 =
          FloatVector.fromMemorySegment(F, a, aAt + at + 2 * STEP, ORDER)
              .fma(FloatVector.fromMemorySegment(F, b, bAt + at + 2 * STEP, ORDER), s2);
      s3 =
          FloatVector.fromMemorySegment(F, a, aAt + at + 3 * STEP, ORDER)
              .fma(FloatVector.fromMemorySegment(F, b, bAt + at + 3 * STEP, ORDER), s3);
    }
    for (; at < 4L * n; at += STEP) {
      var rest = F.indexInRange(at / 4, n);
      s0 = floats(a, aAt + at, rest).fma(floats(b, bAt + at, rest), s0);
    }
    FloatVector v = s0.add(s1).add(s2.add(s3));
    v = v.add(v.rearrange(BY_8));
    v = v.add(v.rearrange(BY_4));
    v = v.add(v.rearrange(BY_2));
    return v.add(v.rearrange(BY_1)).lane(0) * LANE_SHARE;
  }

  @Override
  public void gemm(
      MemorySegment a,
      long aAt,
      int lda,
      MemorySegment b,
      long bAt,
      int ldb,
      MemorySegment c,
      long cAt,
      int ldc,
      int m,
      int n,
      int k,
      boolean accumulate) {
    int i = 0;
    for (; i + 4 <= m; i += 4) {
      long ai = aAt + 4L * i * lda;
      long ci = cAt + 4L * i * ldc;
      int done = rows4(a, ai, 4L * lda, b, bAt, 4L * ldb, c, ci, 4L * ldc, n, k, accumulate);
      rows4Rest(a, ai, 4L * lda, b, bAt, 4L * ldb, c, ci, 4L * ldc, done, n, k, accumulate);
    }
    for (; i < m; i++) {
      row1(a, aAt + 4L * i * lda, b, bAt, 4L * ldb, c, cAt + 4L * i * ldc, n, k, accumulate);
    }
  }

  /// Four rows and two vectors of columns of c at a time: what is loaded of a and b is multiplied
  /// twice and four times. Strides in bytes.
  ///
  /// @return the columns that are done: the others do not fill two vectors
  private static int rows4(
      MemorySegment a,
      long aAt,
      long lda,
      MemorySegment b,
      long bAt,
      long ldb,
      MemorySegment c,
      long cAt,
      long ldc,
      int n,
      int k,
      boolean accumulate) {
    int j = 0;
    for (; j + 2 * L <= n; j += 2 * L) {
      long cj = cAt + 4L * j;
      var s00 = FloatVector.zero(F);
      var s01 = FloatVector.zero(F);
      var s10 = FloatVector.zero(F);
      var s11 = FloatVector.zero(F);
      var s20 = FloatVector.zero(F);
      var s21 = FloatVector.zero(F);
      var s30 = FloatVector.zero(F);
      var s31 = FloatVector.zero(F);
      if (accumulate) {
        s00 = FloatVector.fromMemorySegment(F, c, cj, ORDER);
        s01 = FloatVector.fromMemorySegment(F, c, cj + STEP, ORDER);
        s10 = FloatVector.fromMemorySegment(F, c, cj + ldc, ORDER);
        s11 = FloatVector.fromMemorySegment(F, c, cj + ldc + STEP, ORDER);
        s20 = FloatVector.fromMemorySegment(F, c, cj + 2 * ldc, ORDER);
        s21 = FloatVector.fromMemorySegment(F, c, cj + 2 * ldc + STEP, ORDER);
        s30 = FloatVector.fromMemorySegment(F, c, cj + 3 * ldc, ORDER);
        s31 = FloatVector.fromMemorySegment(F, c, cj + 3 * ldc + STEP, ORDER);
      }
      long bl = bAt + 4L * j;
      for (long al = aAt; al < aAt + 4L * k; al += 4, bl += ldb) {
        var b0 = FloatVector.fromMemorySegment(F, b, bl, ORDER);
        var b1 = FloatVector.fromMemorySegment(F, b, bl + STEP, ORDER);
        var a0 = FloatVector.broadcast(F, a.get(JAVA_FLOAT_UNALIGNED, al));
        s00 = b0.fma(a0, s00);
        s01 = b1.fma(a0, s01);
        var a1 = FloatVector.broadcast(F, a.get(JAVA_FLOAT_UNALIGNED, al + lda));
        s10 = b0.fma(a1, s10);
        s11 = b1.fma(a1, s11);
        var a2 = FloatVector.broadcast(F, a.get(JAVA_FLOAT_UNALIGNED, al + 2 * lda));
        s20 = b0.fma(a2, s20);
        s21 = b1.fma(a2, s21);
        var a3 = FloatVector.broadcast(F, a.get(JAVA_FLOAT_UNALIGNED, al + 3 * lda));
        s30 = b0.fma(a3, s30);
        s31 = b1.fma(a3, s31);
      }
      s00.intoMemorySegment(c, cj, ORDER);
      s01.intoMemorySegment(c, cj + STEP, ORDER);
      s10.intoMemorySegment(c, cj + ldc, ORDER);
      s11.intoMemorySegment(c, cj + ldc + STEP, ORDER);
      s20.intoMemorySegment(c, cj + 2 * ldc, ORDER);
      s21.intoMemorySegment(c, cj + 2 * ldc + STEP, ORDER);
      s30.intoMemorySegment(c, cj + 3 * ldc, ORDER);
      s31.intoMemorySegment(c, cj + 3 * ldc + STEP, ORDER);
    }
    return j;
  }

  /// The columns of four rows from `from` on, a vector at a time.
  private static void rows4Rest(
      MemorySegment a,
      long aAt,
      long lda,
      MemorySegment b,
      long bAt,
      long ldb,
      MemorySegment c,
      long cAt,
      long ldc,
      int from,
      int n,
      int k,
      boolean accumulate) {
    for (int j = from; j < n; j += L) {
      var mask = F.indexInRange(j, n);
      long cj = cAt + 4L * j;
      var s0 = FloatVector.zero(F);
      var s1 = FloatVector.zero(F);
      var s2 = FloatVector.zero(F);
      var s3 = FloatVector.zero(F);
      if (accumulate) {
        s0 = floats(c, cj, mask);
        s1 = floats(c, cj + ldc, mask);
        s2 = floats(c, cj + 2 * ldc, mask);
        s3 = floats(c, cj + 3 * ldc, mask);
      }
      long bj = bAt + 4L * j;
      for (int l = 0; l < k; l++) {
        var v = floats(b, bj + l * ldb, mask);
        long al = aAt + 4L * l;
        s0 = v.fma(FloatVector.broadcast(F, a.get(JAVA_FLOAT_UNALIGNED, al)), s0);
        s1 = v.fma(FloatVector.broadcast(F, a.get(JAVA_FLOAT_UNALIGNED, al + lda)), s1);
        s2 = v.fma(FloatVector.broadcast(F, a.get(JAVA_FLOAT_UNALIGNED, al + 2 * lda)), s2);
        s3 = v.fma(FloatVector.broadcast(F, a.get(JAVA_FLOAT_UNALIGNED, al + 3 * lda)), s3);
      }
      s0.intoMemorySegment(c, cj, ORDER, mask);
      s1.intoMemorySegment(c, cj + ldc, ORDER, mask);
      s2.intoMemorySegment(c, cj + 2 * ldc, ORDER, mask);
      s3.intoMemorySegment(c, cj + 3 * ldc, ORDER, mask);
    }
  }

  private static void row1(
      MemorySegment a,
      long aAt,
      MemorySegment b,
      long bAt,
      long ldb,
      MemorySegment c,
      long cAt,
      int n,
      int k,
      boolean accumulate) {
    for (int j = 0; j < n; j += L) {
      var mask = F.indexInRange(j, n);
      long cj = cAt + 4L * j;
      var s = accumulate ? floats(c, cj, mask) : FloatVector.zero(F);
      long bj = bAt + 4L * j;
      for (int l = 0; l < k; l++) {
        s =
            floats(b, bj + l * ldb, mask)
                .fma(FloatVector.broadcast(F, a.get(JAVA_FLOAT_UNALIGNED, aAt + 4L * l)), s);
      }
      s.intoMemorySegment(c, cj, ORDER, mask);
    }
  }
}
