package io.gatun.tools;

import io.gatun.loaders.Checkpoint;
import io.gatun.models.rewrite.Rewrite;
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
          + " directory with model.safetensors, configuration and tokenizer, or with --mode q4_0 or"
          + " q8_0 a GGUF file. Embeddings, norms and biases stay as they are, but for an embedding"
          + " that is the output, too, which has 8 bits in such a file. With int4 the output matrix"
          + " has 8 bits, and rows that are no whole groups get the greatest group that fits."
    },
    sortOptions = false)
final class Quantize implements Runnable {
  @Spec private CommandSpec spec;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      required = true,
      description =
          "The model: any checkpoint that gatun generate runs, or its name on the Hugging Face"
              + " hub.")
  private Path model;

  @Option(
      names = "--mode",
      paramLabel = "int4|int8|q4_0|q8_0",
      description =
          "int4 (the default) or int8, in the layout that Gatun runs fastest; q4_0 or q8_0, a GGUF"
              + " file that other programs can run too.")
  private String mode = "int4";

  @Option(
      names = "--group-size",
      paramLabel = "32|64|128",
      description = "Weights that share a scale (default: 32).")
  private Integer groupSize;

  @Mixin private RewriteOptions output;

  @Override
  public void run() {
    DType type = type();
    output.check(spec.commandLine());
    try (var checkpoint = Checkpoint.open(ModelNames.find(spec, model))) {
      var rewrite =
          switch (type) {
            case DType.Tiled tiled -> Rewrite.quantized(checkpoint, tiled);
            case DType.Block block -> Rewrite.gguf(checkpoint, block);
            case DType.Plain plain -> throw new AssertionError(plain);
            case DType.Unknown unknown -> throw new AssertionError(unknown);
          };
      output.write(checkpoint, rewrite, spec.commandLine());
    }
  }

  private DType type() {
    switch (mode) {
      case "q4_0", "q8_0" -> {
        if (groupSize != null && groupSize != 32) {
          throw new ParameterException(
              spec.commandLine(), "--mode " + mode + " has groups of 32; leave out --group-size");
        }
        return DType.Block.valueOf(mode.toUpperCase(Locale.ROOT));
      }
      case "int4", "int8" -> {
        try {
          return new DType.Tiled(mode.equals("int4") ? 4 : 8, groupSize == null ? 32 : groupSize);
        } catch (IllegalArgumentException e) {
          throw new ParameterException(spec.commandLine(), "--group-size: " + e.getMessage(), e);
        }
      }
      default ->
          throw new ParameterException(
              spec.commandLine(), "--mode is " + mode + "; need int4, int8, q4_0 or q8_0");
    }
  }
}
