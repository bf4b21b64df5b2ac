package io.gatun.tools;

import io.gatun.models.sam.Sam;
import java.nio.file.Path;
import picocli.CommandLine.Mixin;

/// The options of every command that runs a Segment Anything model.
final class SamModelOptions {
  @Mixin private NetworkOptions network;
  @Mixin private RunOptions run;

  int threads() {
    return run.threads();
  }

  Sam load(Path model) {
    return Sam.load(
        model,
        o ->
            o.backend(run.backend())
                .threads(run.threads())
                .loadMode(run.load())
                .dtype(network.dtype())
                .quantization(network.quantize()));
  }
}
