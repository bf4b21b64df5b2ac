package io.gatun.tensor.ops;

/// How a linear layer's weights are rounded to 8 bits.
public enum Quantization {
  /// Not at all.
  NONE,
  /// Weights are `scale * q`, q in -127..127, with one scale for each row; activations stay as they
  /// are.
  INT8,
  /// The same, and each row of activations is rounded in this way too, when it comes: int8 products
  /// are several times as fast as others where the CPU has instructions for them.
  INT8_DYNAMIC
}
