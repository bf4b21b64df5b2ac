package io.gatun.tensor.kernel.scalar;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import java.lang.foreign.MemorySegment;

/// The reference: what the other kernels are tested against.
public final class ScalarKernels implements Kernels {
  private static float get(MemorySegment s, long at, long i) {
    return s.get(JAVA_FLOAT_UNALIGNED, at + 4 * i);
  }

  private static void set(MemorySegment s, long at, long i, float v) {
    s.set(JAVA_FLOAT_UNALIGNED, at + 4 * i, v);
  }

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
    double squares = 0;
    for (int i = 0; i < n; i++) {
      float v = get(x, xAt, i);
      squares += (double) v * v;
    }
    float r = (float) (1 / Math.sqrt(squares / n + eps));
    for (int i = 0; i < n; i++) {
      set(out, outAt, i, get(x, xAt, i) * r * get(weight, weightAt, i));
    }
  }

  @Override
  public void add(
      MemorySegment x, long xAt, MemorySegment y, long yAt, long n, MemorySegment out, long outAt) {
    for (long i = 0; i < n; i++) {
      set(out, outAt, i, get(x, xAt, i) + get(y, yAt, i));
    }
  }

  @Override
  public void mul(
      MemorySegment x, long xAt, MemorySegment y, long yAt, long n, MemorySegment out, long outAt) {
    for (long i = 0; i < n; i++) {
      set(out, outAt, i, get(x, xAt, i) * get(y, yAt, i));
    }
  }

  @Override
  public void scale(
      MemorySegment x, long xAt, float factor, long n, MemorySegment out, long outAt) {
    for (long i = 0; i < n; i++) {
      set(out, outAt, i, get(x, xAt, i) * factor);
    }
  }

  @Override
  public void addScaled(
      MemorySegment x, long xAt, float factor, long n, MemorySegment out, long outAt) {
    for (long i = 0; i < n; i++) {
      set(out, outAt, i, get(out, outAt, i) + get(x, xAt, i) * factor);
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
    for (long i = 0; i < n; i++) {
      float g = get(gate, gateAt, i);
      set(out, outAt, i, g / (1 + (float) Math.exp(-g)) * get(up, upAt, i));
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
    for (long i = 0; i < n; i++) {
      set(out, outAt, i, get(x, xAt, i) / (1 + (float) Math.exp(-get(gate, gateAt, i))));
    }
  }

  @Override
  public void softcap(MemorySegment x, long xAt, float cap, int n, MemorySegment out, long outAt) {
    for (int i = 0; i < n; i++) {
      set(out, outAt, i, (float) (cap * Math.tanh(get(x, xAt, i) / (double) cap)));
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
    int step = interleaved ? 1 : n / 2;
    for (int pair = 0; pair < n / 2; pair++) {
      int i = interleaved ? 2 * pair : pair;
      int j = i + step;
      float a = get(x, xAt, i);
      float b = get(x, xAt, j);
      set(x, xAt, i, a * get(cos, tableAt, i) + b * get(sin, tableAt, i));
      set(x, xAt, j, b * get(cos, tableAt, j) + a * get(sin, tableAt, j));
    }
  }

  @Override
  public float expSum(MemorySegment x, long xAt, float max, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
      float e = (float) Math.exp(get(x, xAt, i) - max);
      set(x, xAt, i, e);
      sum += e;
    }
    return (float) sum;
  }

  @Override
  public float max(MemorySegment x, long xAt, long n) {
    float max = Float.NEGATIVE_INFINITY;
    for (long i = 0; i < n; i++) {
      max = Math.max(max, get(x, xAt, i));
    }
    return max;
  }

  @Override
  public float quantize(MemorySegment x, long xAt, int n, int zero, MemorySegment q, long qAt) {
    float max = 0;
    for (int i = 0; i < n; i++) {
      max = Math.max(max, Math.abs(get(x, xAt, i)));
    }
    float inverse = max == 0 ? 0 : 127 / max;
    for (int i = 0; i < n; i++) {
      q.set(JAVA_BYTE, qAt + i, (byte) (Math.rint(get(x, xAt, i) * inverse) + zero));
    }
    return max / 127;
  }

  @Override
  public float dot(MemorySegment a, long aAt, MemorySegment b, long bAt, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += (double) get(a, aAt, i) * get(b, bAt, i);
    }
    return (float) sum;
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
    for (long i = 0; i < m; i++) {
      for (long j = 0; j < n; j++) {
        double sum = accumulate ? get(c, cAt, i * ldc + j) : 0;
        for (long l = 0; l < k; l++) {
          sum += (double) get(a, aAt, i * lda + l) * get(b, bAt, l * ldb + j);
        }
        set(c, cAt, i * ldc + j, (float) sum);
      }
    }
  }
}
