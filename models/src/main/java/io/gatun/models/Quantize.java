package io.gatun.models;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.quantize.QuantizeConfig;
import java.util.Objects;

/// Quantizes language models that are loaded, without a file.
///
/// ```java
/// Quantize.apply(llm, QuantizeConfig.of(4).by(Method.HQQ).filter(name -> name.contains(".mlp.")));
/// ```
public final class Quantize {
  private Quantize() {}

  /// Replaces a model's matrices by quantized ones in memory, in place: its sessions go on with
  /// them. What other matrices there are stays where it is; several calls with different filters
  /// quantize parts differently. A low-rank adaptation becomes part of the quantized weights.
  ///
  /// @throws IllegalArgumentException if the method needs texts: then the model is written to a
  ///   file ([io.gatun.models.rewrite.Rewrite#calibrate])
  /// @throws CheckpointException if no matrix is left that can be quantized
  /// @throws IllegalStateException if the model is closed
  public static void apply(Llm llm, QuantizeConfig config) {
    Objects.requireNonNull(config, "the configuration is null");
    if (config.method().isCalibrated()) {
      throw new IllegalArgumentException(
          config.method()
              + " needs texts and is done layer by layer: write the model with gatun quantize, and"
              + " load that");
    }
    llm.quantize(config);
  }
}
