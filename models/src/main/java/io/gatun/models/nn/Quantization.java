package io.gatun.models.nn;

import java.util.regex.Pattern;

/// How the linear layers of a network are quantized.
///
/// @param mode what is kept in 8 bits
/// @param minSize layers with fewer weights than this stay as they are
/// @param names layers whose name this does not find stay as they are
public record Quantization(Mode mode, long minSize, Pattern names) {
  public static final Quantization NONE = of(Mode.NONE);

  /// What is kept in 8 bits.
  public enum Mode {
    NONE,
    /// Weights, with a scale for each row.
    INT8_WEIGHTS,
    /// Weights, and activations for the time of a product, with a scale for each row.
    INT8_DYNAMIC
  }

  /// All linear layers that are large enough for it to pay.
  public static Quantization of(Mode mode) {
    return new Quantization(mode, 1 << 18, Pattern.compile(""));
  }

  boolean covers(String name, long size) {
    return mode != Mode.NONE && size >= minSize && names.matcher(name).find();
  }
}
