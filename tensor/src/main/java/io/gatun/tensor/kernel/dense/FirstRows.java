package io.gatun.tensor.kernel.dense;

import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.LANE_SHARE;
import static io.gatun.tensor.kernel.dense.Lanes.ROUND;

import java.lang.foreign.MemorySegment;

/// The rows of language models. Some are also as [io.gatun.tensor.kernel.scalar.ScalarKernels] has
/// them, element by element in memory: with those, a small model's first token comes a tenth later.
public final class FirstRows extends VectorKernels {
  /// Longer ones get vectors compiled before they end, and are none for Java's heap.
  private static final int MOST = 1 << 16;

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
    float[] v = floats(x, xAt, n);
    float[] w = floats(weight, weightAt, n);
    float r = (float) (1 / Math.sqrt((double) dot(v, v, 4) / n + eps));
    for (int i = 0; i < n; i++) {
      v[i] = v[i] * r * w[i];
    }
    store(v, out, outAt);
  }

  @Override
  public void add(
      MemorySegment x, long xAt, MemorySegment y, long yAt, long n, MemorySegment out, long outAt) {
    if (n > MOST) {
      super.add(x, xAt, y, yAt, n, out, outAt);
      return;
    }
    float[] v = floats(x, xAt, n);
    float[] w = floats(y, yAt, n);
    for (int i = 0; i < n; i++) {
      v[i] += w[i];
    }
    store(v, out, outAt);
  }

  @Override
  public void mul(
      MemorySegment x, long xAt, MemorySegment y, long yAt, long n, MemorySegment out, long outAt) {
    if (n > MOST) {
      super.mul(x, xAt, y, yAt, n, out, outAt);
      return;
    }
    float[] v = floats(x, xAt, n);
    float[] w = floats(y, yAt, n);
    for (int i = 0; i < n; i++) {
      v[i] *= w[i];
    }
    store(v, out, outAt);
  }

  @Override
  public void scale(
      MemorySegment x, long xAt, float factor, long n, MemorySegment out, long outAt) {
    if (n > MOST) {
      super.scale(x, xAt, factor, n, out, outAt);
      return;
    }
    float[] v = floats(x, xAt, n);
    for (int i = 0; i < n; i++) {
      v[i] *= factor;
    }
    store(v, out, outAt);
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
    if (n > MOST) {
      super.siluMul(gate, gateAt, up, upAt, n, out, outAt);
      return;
    }
    float[] v = floats(gate, gateAt, n);
    float[] w = floats(up, upAt, n);
    for (int i = 0; i < n; i++) {
      v[i] = v[i] / (exp(-v[i]) + 1) * w[i];
    }
    store(v, out, outAt);
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
    float[] v = floats(x, xAt, n);
    float[] c = floats(cos, tableAt, n);
    float[] s = floats(sin, tableAt, n);
    int step = interleaved ? 1 : n / 2;
    for (int pair = 0; pair < n / 2; pair++) {
      int i = interleaved ? 2 * pair : pair;
      int j = i + step;
      float a = v[i];
      float b = v[j];
      v[i] = a * c[i] + b * s[i];
      v[j] = b * c[j] + a * s[j];
    }
    store(v, x, xAt);
  }

  @Override
  public float max(MemorySegment x, long xAt, long n) {
    if (n > MOST) {
      return super.max(x, xAt, n);
    }
    float max = Float.NEGATIVE_INFINITY;
    for (float v : floats(x, xAt, n)) {
      max = Math.max(max, v);
    }
    return max;
  }

  @Override
  public float dot(MemorySegment a, long aAt, MemorySegment b, long bAt, int n) {
    return dot(floats(a, aAt, n), floats(b, bAt, n), 4);
  }

  /// @param chains vectors of sums; what fills no such number of vectors goes to the first
  static float dot(float[] a, float[] b, int chains) {
    var sums = new float[chains * COUNT];
    int whole = a.length - a.length % sums.length;
    for (int i = 0; i < whole; i += sums.length) {
      for (int j = 0; j < sums.length; j++) {
        sums[j] = Math.fma(a[i + j], b[i + j], sums[j]);
      }
    }
    for (int i = whole; i < a.length; i++) {
      int j = (i - whole) % COUNT;
      sums[j] = Math.fma(a[i], b[i], sums[j]);
    }
    for (int distance = COUNT; distance < sums.length; distance *= 2) {
      for (int i = 0; i < sums.length; i += 2 * distance) {
        for (int j = i; j < i + COUNT; j++) {
          sums[j] += sums[j + distance];
        }
      }
    }
    return sum(sums);
  }

  /// The sum of a vector's lanes, the first of `v`, in the order of [Lanes].
  static float sum(float[] v) {
    for (int distance = 8; distance > 0; distance /= 2) {
      for (int i = 0; i < Math.min(COUNT, distance); i++) {
        v[i] += v[(i ^ distance) & (COUNT - 1)];
      }
    }
    return v[0] * LANE_SHARE;
  }

  /// As [VectorMath#exp].
  private static float exp(float x) {
    float clamped = Math.min(Math.max(x, -87.3f), 88.3f);
    float shifted = clamped * AttentionWeights.LOG2_E + ROUND;
    return exp(clamped, shifted);
  }

  /// e^x, with the integer next to `x log2 e` in the lowest bits of `shifted`.
  static float exp(float x, float shifted) {
    float k = shifted - ROUND;
    float r = Math.fma(k, 0x1.bd0106p-13f, Math.fma(k, -0x1.63p-1f, x));
    float p = Math.fma(r, 1f / 5040, 1f / 720);
    p = Math.fma(p, r, 1f / 120);
    p = Math.fma(p, r, 1f / 24);
    p = Math.fma(p, r, 1f / 6);
    p = Math.fma(p, r, 0.5f);
    p = Math.fma(p, r, 1f);
    p = Math.fma(p, r, 1f);
    return p * Float.intBitsToFloat((Float.floatToRawIntBits(shifted) << 23) + 0x3F800000);
  }

  static float[] floats(MemorySegment s, long at, long n) {
    var v = new float[(int) n];
    MemorySegment.copy(s, at, MemorySegment.ofArray(v), 0, 4 * n);
    return v;
  }

  static void store(float[] v, MemorySegment s, long at) {
    MemorySegment.copy(MemorySegment.ofArray(v), 0, s, at, 4L * v.length);
  }
}
