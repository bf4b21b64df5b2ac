package io.gatun.models.nn;

import io.gatun.tensor.ops.LinearWeight;
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

  /// The same for none but the layers in whose name `pattern` is found.
  public Quantization only(Pattern pattern) {
    return new Quantization(mode, minSize, pattern);
  }

  /// Whether a layer of that name may be quantized.
  boolean names(String name) {
    return names.matcher(name).find();
  }

  /// The weights of the layer of that name, quantized if that is to be, and their sizes allow it.
  LinearWeight apply(String name, LinearWeight weight) {
    long size = weight.outFeatures() * weight.inFeatures();
    if (mode == Mode.NONE || size < minSize || !names(name) || !weight.quantizable()) {
      return weight;
    }
    return weight.quantized(
        mode == Mode.INT8_DYNAMIC
            ? io.gatun.tensor.ops.Quantization.INT8_DYNAMIC
            : io.gatun.tensor.ops.Quantization.INT8);
  }
}
