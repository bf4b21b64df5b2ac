package io.gatun.tools.models;

import io.gatun.loaders.Checkpoint;
import io.gatun.models.quantize.CalibrationTexts;
import io.gatun.models.quantize.Method;
import io.gatun.models.quantize.QuantizeConfig;
import io.gatun.models.rewrite.Rewrite;
import io.gatun.models.text.Tokenizers;
import io.gatun.tensor.DType;
import io.gatun.tools.console.Interrupts;
import io.gatun.tools.console.ProgressBar;
import io.gatun.tools.console.Stdio;
import io.gatun.tools.options.CountConverter;
import io.gatun.tools.options.ModelNames;
import io.gatun.tools.options.TextOptions;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
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
          + " has 8 bits, and rows that are no whole groups get the greatest group that fits.",
      "",
      "--method gptq and awq read texts, which should be like those that the model is for, and take"
          + " longer than the others; how long depends on the texts, of which 128 pieces are read,"
          + " or as many as fit into 192 MB layer by layer. Layers that are done"
          + " are kept in OUT.partial until the model is written: if it is stopped, the same"
          + " command goes on. awq scales the inputs of matrices where a norm or a matrix before"
          + " them takes the scales exactly, which it tries out; of others, as of most experts, it"
          + " only chooses the range of each group."
    },
    sortOptions = false)
public final class Quantize implements Runnable {
  /// The longest piece of a text, and how many are read unasked.
  private static final int SAMPLE = 512;

  private static final int SAMPLES = 128;

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

  @Option(
      names = "--method",
      paramLabel = "rtn|hqq|gptq|awq",
      description =
          "rtn (the default) rounds to the nearest integer, hqq forgives outliers, gptq makes up"
              + " for errors as it goes, and awq scales up columns with great inputs, by what"
              + " --calibrate says of a layer's inputs.")
  private Method method = Method.RTN;

  @Option(
      names = "--bits",
      paramLabel = "BITS",
      description =
          "With --mode int4, bits of the layers' integers in the mean, from 4 to 8, such as 4.5:"
              + " matrices to whose rounding answers are most sensitive have 8, as many as fit."
              + " Which those are is measured with --calibrate. Scales come on top, half a bit in"
              + " groups of 32.")
  private Double bits;

  @Option(
      names = "--calibrate",
      paramLabel = "FILE",
      description =
          "A text in UTF-8 for --method gptq or awq, and --bits; may be given several times.")
  private List<Path> texts = List.of();

  @Option(
      names = "--samples",
      paramLabel = "N",
      converter = CountConverter.class,
      description =
          "Pieces of the texts to read, of the model's context or 512 tokens (default: 128).")
  private Integer samples;

  @Option(
      names = "--head-bits",
      paramLabel = "4|8|16",
      description = "Bits of the output matrix (default: 8); 16 leaves it as it is.")
  private Integer headBits;

  @Option(
      names = "--embedding-bits",
      paramLabel = "4|8|16",
      description =
          "Bits of the embedding table (default: 16, which leaves it as it is). A model whose"
              + " output is its embedding table has one matrix for both if both have as many bits.")
  private Integer embeddingBits;

  @Mixin private RewriteOptions output;

  @Override
  public void run() {
    DType type = type();
    output.check(spec.commandLine());
    checkMethod(type);
    try (var checkpoint = Checkpoint.open(ModelNames.find(spec, model))) {
      var rewrite =
          switch (type) {
            case DType.Tiled tiled -> Rewrite.quantized(checkpoint, config(tiled));
            case DType.Block block -> Rewrite.gguf(checkpoint, block);
            case DType.Plain plain -> throw new AssertionError(plain);
            case DType.Unknown unknown -> throw new AssertionError(unknown);
          };
      if (readsTexts()) {
        calibrate(checkpoint, rewrite);
      }
      output.write(checkpoint, rewrite, spec.commandLine());
    }
  }

  /// Refuses options that would be of no effect.
  private void checkMethod(DType type) {
    if (bits != null && (!mode.equals("int4") || !(bits >= 4 && bits <= 8))) {
      throw new ParameterException(
          spec.commandLine(), "--bits is %s; need 4 to 8, with --mode int4".formatted(bits));
    }
    if (!(type instanceof DType.Tiled)
        && (method != Method.RTN || headBits != null || embeddingBits != null)) {
      throw new ParameterException(
          spec.commandLine(),
          "--mode %s knows no --method, --head-bits or --embedding-bits; those are for int4 and int8"
              .formatted(mode));
    }
    if (readsTexts() && texts.isEmpty()) {
      throw new ParameterException(
          spec.commandLine(),
          "%s needs texts that are like those that the model is for: --calibrate FILE"
              .formatted(bits != null ? "--bits" : "--method " + name()));
    }
    if (!readsTexts() && (!texts.isEmpty() || samples != null)) {
      throw new ParameterException(
          spec.commandLine(),
          "--method %s reads no texts; leave out --calibrate and --samples, or choose --method gptq or awq"
              .formatted(name()));
    }
  }

  private String name() {
    return method.name().toLowerCase(Locale.ROOT);
  }

  private boolean readsTexts() {
    return method.isCalibrated() || bits != null;
  }

  private QuantizeConfig config(DType.Tiled type) {
    var config = QuantizeConfig.of(type.bits()).inGroupsOf(type.groupSize()).by(method);
    try {
      return config
          .headBits(headBits == null ? config.headBits() : headBits)
          .embeddingBits(embeddingBits == null ? config.embeddingBits() : embeddingBits);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }

  private void calibrate(Checkpoint checkpoint, Rewrite rewrite) {
    var config = rewrite.decoder().config();
    int length = Math.min(SAMPLE, config.maxPositionEmbeddings());
    var pieces =
        CalibrationTexts.samples(
            Tokenizers.load(checkpoint.path(), checkpoint.metadata()),
            texts.stream().map(file -> TextOptions.read(file, spec)).toList(),
            samples == null ? SAMPLES : samples,
            length);
    Interrupts.of(spec)
        .keeps(
            () ->
                "layers that are done are in %s.partial; the same command goes on with the next"
                    .formatted(output.out()));
    if (bits != null) {
      withBar(
          "layers measured",
          config.numHiddenLayers(),
          bar -> rewrite.mix(bits, pieces, output.out(), output.threads(), bar));
    }
    if (method.isCalibrated()) {
      withBar(
          "layers",
          config.numHiddenLayers(),
          bar -> rewrite.calibrate(pieces, output.out(), output.threads(), bar));
    }
  }

  private void withBar(String name, int layers, Consumer<IntConsumer> work) {
    if (!Stdio.of(spec).isInteractive()) {
      work.accept(done -> {});
      return;
    }
    try (var bar = new ProgressBar(name, "", 1)) {
      work.accept(done -> bar.show(done, layers, ""));
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
