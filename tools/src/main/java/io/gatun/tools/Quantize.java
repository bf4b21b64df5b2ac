package io.gatun.tools;

import io.gatun.loaders.Checkpoint;
import io.gatun.models.llama.LlamaRewrite;
import io.gatun.tensor.DType;
import java.nio.file.Path;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `gatun quantize`: a language model again with smaller weights.
@Command(
    name = "quantize",
    description = {
      "Write a language model again with its matrices as 4- or 8-bit integers.",
      "",
      "A GGUF file becomes a GGUF file, with tokenizer and metadata; other checkpoints become a"
          + " directory with model.safetensors, configuration and tokenizer. Embeddings, norms and"
          + " biases stay as they are."
    },
    sortOptions = false)
final class Quantize implements Runnable {
  @Spec private CommandSpec spec;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      required = true,
      description = "The model: any checkpoint that gatun generate runs.")
  private Path model;

  @Option(names = "--mode", paramLabel = "int4|int8", description = "The integers (default: int4).")
  private String mode = "int4";

  @Option(
      names = "--group-size",
      paramLabel = "32|64|128",
      description = "Weights that share a scale (default: 32).")
  private int groupSize = 32;

  @Mixin private RewriteOptions output;

  @Override
  public void run() {
    DType.Tiled type = type();
    try (var checkpoint = Checkpoint.open(model)) {
      output.write(checkpoint, LlamaRewrite.quantized(checkpoint, type), spec.commandLine());
    }
  }

  private DType.Tiled type() {
    try {
      return DType.Tiled.parse(mode.toUpperCase(Locale.ROOT) + "_G" + groupSize);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(
          spec.commandLine(),
          "--mode %s --group-size %d: need int4 or int8, and 32, 64 or 128"
              .formatted(mode, groupSize),
          e);
    }
  }
}
