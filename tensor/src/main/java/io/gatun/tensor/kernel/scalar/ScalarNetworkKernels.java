package io.gatun.tensor.kernel.scalar;

import static io.gatun.tensor.kernel.scalar.Floats.get;
import static io.gatun.tensor.kernel.scalar.Floats.set;

import java.lang.foreign.MemorySegment;

/// The reference: what the other kernels are tested against.
public final class ScalarNetworkKernels implements NetworkKernels {
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
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += get(x, xAt, i);
    }
    double mean = sum / n;
    double squares = 0;
    for (int i = 0; i < n; i++) {
      double d = get(x, xAt, i) - mean;
      squares += d * d;
    }
    double r = 1 / Math.sqrt(squares / n + eps);
    for (int i = 0; i < n; i++) {
      double y = (get(x, xAt, i) - mean) * r * get(weight, 0, i) + get(bias, 0, i);
      set(out, outAt, i, (float) y);
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
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < n; i++) {
        float d = get(x, xAt, (long) row * n + i) - get(origin, originAt, i);
        set(sums, sumsAt, i, get(sums, sumsAt, i) + d);
        set(sums, sumsAt, n + i, get(sums, sumsAt, n + i) + d * d);
      }
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
    for (int i = 0; i < n; i++) {
      float y = get(x, xAt, i) * get(factors, factorsAt, i) + get(factors, factorsAt, n + i);
      set(out, outAt, i, y);
    }
  }

  @Override
  public void relu(MemorySegment x, long xAt, int n, MemorySegment out, long outAt) {
    for (int i = 0; i < n; i++) {
      set(out, outAt, i, Math.max(get(x, xAt, i), 0));
    }
  }

  @Override
  public void swish(MemorySegment x, long xAt, float alpha, int n, MemorySegment out, long outAt) {
    for (int i = 0; i < n; i++) {
      double v = get(x, xAt, i);
      set(out, outAt, i, (float) (v / (1 + Math.exp(-alpha * v))));
    }
  }

  @Override
  public void gelu(MemorySegment x, long xAt, int n, MemorySegment out, long outAt) {
    for (int i = 0; i < n; i++) {
      set(out, outAt, i, (float) gelu(get(x, xAt, i)));
    }
  }

  @Override
  public void geluTanh(MemorySegment x, long xAt, int n, MemorySegment out, long outAt) {
    for (int i = 0; i < n; i++) {
      double v = get(x, xAt, i);
      double t = Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v * v * v));
      set(out, outAt, i, (float) (v * (1 + t) / 2));
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
    for (int i = 0; i < n; i++) {
      set(out, outAt, i, (float) (get(x, xAt, i) * gelu(get(gate, gateAt, i))));
    }
  }

  private static double gelu(double x) {
    return x * erfc(-x / Math.sqrt(2)) / 2;
  }

  /// 1 - erf(x): up to 3 by the series of erf, then by the continued fraction (Abramowitz and
  /// Stegun, 7.1.6 and 7.1.14).
  static double erfc(double x) {
    if (x < 0) {
      return 2 - erfc(-x);
    }
    double gauss = Math.exp(-x * x);
    if (x < 3) {
      double term = x;
      double sum = x;
      for (int n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
        term *= 2 * x * x / (2 * n + 1);
        sum += term;
      }
      return 1 - 2 / Math.sqrt(Math.PI) * gauss * sum;
    }
    double fraction = x;
    for (int n = 60; n > 0; n--) {
      fraction = x + n / 2.0 / fraction;
    }
    return gauss / (Math.sqrt(Math.PI) * fraction);
  }
}
