package io.gatun.tensor;

import io.gatun.tensor.kernel.dense.VectorKernels;
import io.gatun.tensor.kernel.scalar.Kernels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.DoubleUnaryOperator;

/// What one wants to know of a tensor at hand: small sums through the kernels that models use, on
/// the calling thread.
final class TensorMath {
  private static final Kernels KERNELS = new VectorKernels();

  private TensorMath() {}

  /// The elements in row-major order as F32, in memory of their own.
  private static Tensor floats(Tensor t) {
    return Tensor.ofFloats(Arena.ofAuto(), t.toFloats(), t.shape().dims());
  }

  static Tensor map(Tensor t, DoubleUnaryOperator function) {
    float[] values = t.toFloats();
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) function.applyAsDouble(values[i]);
    }
    return Tensor.ofFloats(Arena.ofAuto(), values, t.shape().dims());
  }

  /// `x + factor * y`.
  static Tensor plus(Tensor x, Tensor y, float factor) {
    return repeated(x, y, (out, at, other, n) -> KERNELS.addScaled(other, 0, factor, n, out, at));
  }

  static Tensor times(Tensor x, Tensor y) {
    return repeated(x, y, (out, at, other, n) -> KERNELS.mul(out, at, other, 0, n, out, at));
  }

  private interface InPlace {
    void apply(MemorySegment x, long at, MemorySegment y, long n);
  }

  /// A copy of x, of which each part as long as y is changed by y.
  private static Tensor repeated(Tensor x, Tensor y, InPlace operation) {
    x.shape().requireEnd(y.shape());
    var result = floats(x);
    var other = floats(y);
    for (long at = 0; at < x.size(); at += y.size()) {
      operation.apply(result.segment(), 4 * at, other.segment(), y.size());
    }
    return result;
  }

  static Tensor matmul(Tensor a, Tensor b) {
    if (a.shape().rank() != 2 || b.shape().rank() != 2 || a.dim(1) != b.dim(0)) {
      throw new IllegalArgumentException(
          "cannot multiply %s with %s; need matrices (M, K) and (K, N)"
              .formatted(a.shape(), b.shape()));
    }
    int m = Math.toIntExact(a.dim(0));
    int k = Math.toIntExact(a.dim(1));
    int n = Math.toIntExact(b.dim(1));
    var out = Tensor.allocate(Arena.ofAuto(), DType.Plain.F32, m, n);
    if (out.size() > 0 && k > 0) {
      var left = floats(a).segment();
      KERNELS.gemm(left, 0, k, floats(b).segment(), 0, n, out.segment(), 0, n, m, n, k, false);
    }
    return out;
  }

  static double sum(Tensor t) {
    double sum = 0;
    for (float v : t.toFloats()) {
      sum += v;
    }
    return sum;
  }

  static float max(Tensor t) {
    float max = Float.NEGATIVE_INFINITY;
    for (float v : t.toFloats()) {
      max = Math.max(max, v);
    }
    return max;
  }

  static float min(Tensor t) {
    float min = Float.POSITIVE_INFINITY;
    for (float v : t.toFloats()) {
      min = Math.min(min, v);
    }
    return min;
  }

  static long argmax(Tensor t) {
    float[] values = t.toFloats();
    float max = max(t);
    for (int i = 0; i < values.length; i++) {
      if (values[i] == max) {
        return i;
      }
    }
    throw new IllegalArgumentException(
        t.size() == 0
            ? "a tensor of no elements has no greatest"
            : "an element is NaN: none is the greatest");
  }
}
