package io.gatun.tools.options;

import io.gatun.loaders.LoadMode;
import io.gatun.tensor.ops.Backend;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// The options of every command that runs a model: what computes, and where the weights live.
public final class RunOptions {
  @Mixin private ThreadsOption threads;

  @Option(
      names = "--backend",
      paramLabel = "scalar|vector|native",
      defaultValue = "native",
      description = "Kernels to use (default: ${DEFAULT-VALUE}).")
  private Backend backend;

  @Option(
      names = "--load",
      paramLabel = "map|copy",
      defaultValue = "map",
      description =
          "Map the model's files, or copy them into memory, for files that may be truncated while"
              + " they are in use (default: ${DEFAULT-VALUE}).")
  private LoadMode load;

  @Option(
      names = "--force",
      description =
          "Run a model that does not fit into the free memory, too; gatun inspect --fit says what"
              + " it needs.")
  private boolean force;

  public int threads() {
    return threads.count();
  }

  public Backend backend() {
    return backend;
  }

  public LoadMode load() {
    return load;
  }

  /// Whether a model may be larger than the memory.
  public boolean force() {
    return force;
  }
}
