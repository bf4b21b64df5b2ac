package io.gatun.tools;

import io.gatun.loaders.LoadMode;
import io.gatun.tensor.ops.Backend;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// The options of every command that runs a model: what computes, and where the weights live.
final class RunOptions {
  @Mixin private ThreadsOption threads;

  @Option(
      names = "--backend",
      paramLabel = "scalar|vector|native",
      converter = BackendConverter.class,
      description = "Kernels to use (default: native).")
  private Backend backend = Backend.NATIVE;

  @Option(
      names = "--load",
      paramLabel = "map|copy",
      converter = LoadConverter.class,
      description =
          "Map the model's files (the default), or copy them into memory, for files that may be"
              + " truncated while they are in use.")
  private LoadMode load = LoadMode.MAP;

  int threads() {
    return threads.count();
  }

  Backend backend() {
    return backend;
  }

  LoadMode load() {
    return load;
  }

  static final class BackendConverter implements ITypeConverter<Backend> {
    @Override
    public Backend convert(String value) {
      return Choice.of(Backend.class, value);
    }
  }

  static final class LoadConverter implements ITypeConverter<LoadMode> {
    @Override
    public LoadMode convert(String value) {
      return Choice.of(LoadMode.class, value);
    }
  }
}
