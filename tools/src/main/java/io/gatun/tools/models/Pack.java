package io.gatun.tools.models;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.rewrite.Rewrite;
import io.gatun.tools.options.ModelNames;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gatun pack`: a GGUF file, or a quantized model, again with its matrices in tiles.
@Command(
    name = "pack",
    description = {
      "Write a GGUF model again in the layout that Gatun runs fastest.",
      "",
      "Q4_0, Q8_0, Q4_K, Q3_K, IQ3, IQ2 and IQ1 matrices of GGUF files, and the integers of GPTQ,"
          + " AWQ, compressed-tensors, HQQ, torchao and MLX are repacked, not requantized: every"
          + " value stays what it is. Other types stay in their own blocks. The commands that run a"
          + " model do this by themselves, into the cache; this one is for a file that is to be"
          + " kept or moved."
    },
    sortOptions = false)
public final class Pack implements Runnable {
  @Spec private CommandSpec spec;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "FILE",
      required = true,
      description = "The GGUF file, or the directory of a quantized model.")
  private Path model;

  @Mixin private RewriteOptions output;

  @Override
  public void run() {
    output.check(spec.commandLine());
    try (var checkpoint = Checkpoint.open(ModelNames.find(spec, model))) {
      var rewrite = Rewrite.packed(checkpoint);
      if (rewrite.converted() == 0) {
        throw new CheckpointException(
            "%s: has no matrices with a tiled form: Q4_0, Q8_0, Q4_K, Q3_K, IQ3, IQ2 or IQ1, or integers of GPTQ and its like. It runs as it is, or can"
                    .formatted(model)
                + " be quantized anew with: gatun quantize");
      }
      output.write(checkpoint, rewrite, spec.commandLine());
    }
  }
}
