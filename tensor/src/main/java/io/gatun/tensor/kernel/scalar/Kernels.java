package io.gatun.tensor.kernel.scalar;

import java.lang.foreign.MemorySegment;

/// The loops over F32 rows that models are made of, apart from products with weights.
///
/// All operands are native segments with byte offsets; rows are contiguous; lengths are in
/// elements. An output may be the same memory as an input. Implementations have no state.
public interface Kernels {
  /// `out = x / sqrt(mean(x^2) + eps) * weight`.
  void rmsNorm(
      MemorySegment x,
      long xAt,
      MemorySegment weight,
      long weightAt,
      float eps,
      int n,
      MemorySegment out,
      long outAt);

  /// `out = x + y`.
  void add(
      MemorySegment x, long xAt, MemorySegment y, long yAt, long n, MemorySegment out, long outAt);

  /// `out = x * y`, element by element.
  void mul(
      MemorySegment x, long xAt, MemorySegment y, long yAt, long n, MemorySegment out, long outAt);

  /// `out = x * factor`.
  void scale(MemorySegment x, long xAt, float factor, long n, MemorySegment out, long outAt);

  /// `out += x * factor`.
  void addScaled(MemorySegment x, long xAt, float factor, long n, MemorySegment out, long outAt);

  /// `out = silu(gate) * up`, silu(x) = x / (1 + exp(-x)).
  void siluMul(
      MemorySegment gate,
      long gateAt,
      MemorySegment up,
      long upAt,
      long n,
      MemorySegment out,
      long outAt);

  /// `out = x / (1 + exp(-gate))`.
  void sigmoidMul(
      MemorySegment gate,
      long gateAt,
      MemorySegment x,
      long xAt,
      long n,
      MemorySegment out,
      long outAt);

  /// `out = cap * tanh(x / cap)`.
  void softcap(MemorySegment x, long xAt, float cap, int n, MemorySegment out, long outAt);

  /// Rotates one head in place: `x[i] = x[i] cos[i] + x[partner(i)] sin[i]`, where the sine of a
  /// pair's first element is negated. The partner is `i ^ 1` if `interleaved`, else `i +- n / 2`.
  void rope(
      MemorySegment x,
      long xAt,
      MemorySegment cos,
      MemorySegment sin,
      long tableAt,
      int n,
      boolean interleaved);

  /// `x = exp(x - max)` in place.
  ///
  /// @return the sum of the results
  float expSum(MemorySegment x, long xAt, float max, int n);

  /// The greatest element; negative infinity where n is 0.
  float max(MemorySegment x, long xAt, long n);

  /// Bytes `q = round(x * 127 / max|x|) + zero`, ties to even.
  ///
  /// @param zero 128 for u8, else 0
  /// @return the scale `max|x| / 127`, which is not finite if an element of x is not
  float quantize(MemorySegment x, long xAt, int n, int zero, MemorySegment q, long qAt);

  /// The sum of `a[i] * b[i]`.
  float dot(MemorySegment a, long aAt, MemorySegment b, long bAt, int n);

  /// `c = a b`, or `c += a b` if `accumulate`: row-major a (m, k), b (k, n), c (m, n) with leading
  /// dimensions in elements, for matrices that fit the caches.
  void gemm(
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
      boolean accumulate);
}
