package io.gatun.tools.text;

import io.gatun.models.TextEncoderOptions;
import io.gatun.models.nn.Quantization;
import io.gatun.tensor.DType;
import io.gatun.tools.options.ModelNames;
import io.gatun.tools.options.NetworkOptions;
import io.gatun.tools.options.RunOptions;
import java.nio.file.Path;
import java.util.function.Consumer;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// The options of every command that runs an encoder of texts.
final class EncoderOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description =
          "A Hugging Face directory or a GGUF file of a BERT-like encoder, or its name on the"
              + " Hugging Face hub: ORG/MODEL.")
  private Path model;

  @Mixin private RunOptions run;

  @Option(names = "--dtype", paramLabel = "bf16|f32", description = NetworkOptions.ABOUT_DTYPE)
  private NetworkOptions.Type dtype;

  @Option(
      names = "--quantize",
      paramLabel = "none|int8|int8-dynamic",
      defaultValue = "none",
      description =
          "Keep linear layers in 8 bits; int8-dynamic rounds their inputs, too, which is faster"
              + " (default: ${DEFAULT-VALUE}).")
  private Quantization.Mode quantize;

  @Option(
      names = "--truncate",
      description =
          "Cut the end off what is too long for the model, and say so; without it, it is refused.")
  private boolean truncate;

  /// The model that was asked for.
  ///
  /// @throws ParameterException if none was
  Path model() {
    if (model == null) {
      throw new ParameterException(
          command.commandLine(), "Missing required option: '--model=PATH'");
    }
    return ModelNames.find(command, model);
  }

  void apply(TextEncoderOptions options) {
    options
        .backend(run.backend())
        .threads(run.threads())
        .loadMode(run.load())
        .force(run.force())
        .quantization(quantize)
        .truncate(truncate)
        .notices(this::warn);
    if (dtype != null) {
      options.dtype(dtype == NetworkOptions.Type.BF16 ? DType.Plain.BF16 : DType.Plain.F32);
    }
  }

  /// Takes what is to be said of texts that are cut; null if they are not to be.
  Consumer<String> cut() {
    return truncate ? this::warn : null;
  }

  private void warn(String line) {
    command.commandLine().getErr().println("gatun: warning: " + line);
  }
}
