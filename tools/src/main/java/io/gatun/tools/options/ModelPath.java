package io.gatun.tools.options;

import io.gatun.models.Pretrained;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import java.nio.file.Path;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// The options that name a language model's files.
public final class ModelPath {
  private static final String DEFAULT = "tiny-llm";

  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description =
          "A GGUF file, a Hugging Face directory, a .safetensors, .pth or .bin file with its"
              + " config.json beside it, or a name: of a model that comes with Gatun, or of one on"
              + " the Hugging Face hub (ORG/MODEL, ORG/MODEL:Q4_K_M), which is fetched if it is not"
              + " there. Without it: tiny-llm, which comes with Gatun and writes something like"
              + " Shakespeare.")
  private Path model;

  @Option(
      names = "--tokenizer",
      paramLabel = "FILE",
      description =
          "tokenizer.json, tokenizer.model or llama2.c's tokenizer.bin, where it does not lie"
              + " beside the model.")
  private Path tokenizer;

  /// What a command line seems to ask for, which nobody has read yet; null where that is not plain,
  /// as in `-qm PATH` and `@FILE`.
  public static String guess(String... args) {
    for (int i = 0; i < args.length; i++) {
      if (args[i].startsWith("--model=")) {
        return args[i].substring("--model=".length());
      }
      if (args[i].equals("--model") || args[i].equals("-m")) {
        return i + 1 < args.length ? args[i + 1] : null;
      }
      boolean letters = args[i].startsWith("-") && !args[i].startsWith("--");
      if (letters && args[i].contains("m") || args[i].startsWith("@")) {
        return null;
      }
    }
    return DEFAULT;
  }

  /// The model that was asked for, or the one that comes with Gatun.
  Path model() {
    return model != null ? ModelNames.find(spec, model) : Pretrained.path(DEFAULT);
  }

  /// The tokenizer's file, or null if it lies beside the model or in it.
  Path tokenizerFile() {
    return tokenizer == null ? null : ModelNames.find(spec, tokenizer);
  }

  /// The tokenizer alone; no weights are read.
  public Tokenizer tokenizer() {
    return Tokenizers.load(tokenizer != null ? tokenizerFile() : model());
  }
}
