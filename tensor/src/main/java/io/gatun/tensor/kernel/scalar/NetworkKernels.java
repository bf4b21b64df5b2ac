package io.gatun.tensor.kernel.scalar;

import java.lang.foreign.MemorySegment;

/// The loops over F32 rows that networks of images need beyond those of [Kernels]: normalizations
/// and activation functions.
///
/// All operands are native segments with byte offsets; rows are contiguous; lengths are in
/// elements. An output may be the same memory as an input. Implementations have no state.
public interface NetworkKernels {
  /// `out = (x - mean) / sqrt(variance + eps) * weight + bias`.
  void layerNorm(
      MemorySegment x,
      long xAt,
      MemorySegment weight,
      MemorySegment bias,
      float eps,
      int n,
      MemorySegment out,
      long outAt);

  /// For each of n columns over `rows` rows: `sums += x - origin` and, behind these n, `squares +=
  /// (x - origin)^2`. An origin near the mean keeps small differences of large values exact.
  void addMoments(
      MemorySegment x,
      long xAt,
      int rows,
      MemorySegment origin,
      long originAt,
      int n,
      MemorySegment sums,
      long sumsAt);

  /// `out = x * factor + term`, where n terms lie behind the n factors.
  void scaleShift(
      MemorySegment x,
      long xAt,
      MemorySegment factors,
      long factorsAt,
      int n,
      MemorySegment out,
      long outAt);

  /// `out = max(x, 0)`.
  void relu(MemorySegment x, long xAt, int n, MemorySegment out, long outAt);

  /// `out = x / (1 + exp(-alpha x))`.
  void swish(MemorySegment x, long xAt, float alpha, int n, MemorySegment out, long outAt);

  /// `out = x Phi(x)`.
  void gelu(MemorySegment x, long xAt, int n, MemorySegment out, long outAt);

  /// `out = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2`.
  void geluTanh(MemorySegment x, long xAt, int n, MemorySegment out, long outAt);

  /// `out = x * gelu(gate)`.
  void geglu(
      MemorySegment x,
      long xAt,
      MemorySegment gate,
      long gateAt,
      int n,
      MemorySegment out,
      long outAt);
}
