package io.gatun.tensor.ops;

/// How exact products of activations with weights are.
public enum Precision {
  /// Activations stay F32: what a reference implementation in F32 computes, to rounding.
  F32,
  /// Activations may be rounded to the precision of the weights they meet: BF16 for weights of 16
  /// bits, 8-bit integers with scales for quantized weights. Several times faster.
  FAST
}
