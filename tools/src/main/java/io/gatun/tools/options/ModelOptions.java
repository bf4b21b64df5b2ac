package io.gatun.tools.options;

import io.gatun.models.Llm;
import java.nio.file.Path;
import picocli.CommandLine.Mixin;

/// The options of every command that runs a language model.
public final class ModelOptions {
  @Mixin private ModelPath files;

  @Mixin private LlmRunOptions run;

  /// The model that was asked for, which may run from a packed copy elsewhere.
  public Path path() {
    return files.model();
  }

  /// How many threads compute.
  public int threads() {
    return run.threads();
  }

  public Llm load() {
    return run.load(files.model(), files.tokenizerFile());
  }
}
