package io.gatun.tools.bench;

import io.gatun.tools.bench.synthetic.SyntheticDecoder;
import io.gatun.tools.options.ModelNames;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// The language model that is measured: a checkpoint, or random weights in a known shape.
final class DecoderModelOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description = "A checkpoint to measure.")
  private Path model;

  @Option(
      names = "--shape",
      paramLabel = "NAME",
      description =
          "Instead of --model: random weights in the shape of tinyllama-1.1b (the default),"
              + " llama-3.2-1b, llama-2-7b, llama-3.1-8b or qwen3-30b-a3b (a quarter of its layers"
              + " and vocabulary), written once to the cache folder.")
  private String shape;

  @Option(
      names = "--weights",
      paramLabel = "TYPE",
      description =
          "Type of the random weights: int4 (the default) or int8, tiled; q4_0, q4_K, q6_K or q8_0,"
              + " GGUF in place; bf16 or f32.")
  private String weights;

  /// Whether the weights are random, to be measured in the layout that was asked for.
  boolean isSynthetic() {
    return model == null;
  }

  /// Where it lies.
  ///
  /// @throws ParameterException if there is no such shape or type
  Path path() {
    if (model != null) {
      if (shape != null || weights != null) {
        throw new ParameterException(
            spec.commandLine(), "--model brings its own shape and weights; leave those out");
      }
      return ModelNames.find(spec, model);
    }
    var synthetic = SyntheticDecoder.shapes().get(shape == null ? "tinyllama-1.1b" : shape);
    if (synthetic == null) {
      throw new ParameterException(
          spec.commandLine(),
          "--shape is %s; need one of %s"
              .formatted(shape, String.join(", ", SyntheticDecoder.shapes().keySet())));
    }
    try {
      var type =
          SyntheticDecoder.Weights.valueOf(
              weights == null ? "INT4" : weights.toUpperCase(Locale.ROOT));
      return synthetic.checkpoint(type);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(
          spec.commandLine(),
          "--weights is %s; need one of %s"
              .formatted(weights, Arrays.toString(SyntheticDecoder.Weights.values())),
          e);
    }
  }
}
