package io.gatun.tools.segment;

import io.gatun.models.nn.Quantization;
import io.gatun.models.sam.Sam;
import io.gatun.models.sam.SamOptions;
import io.gatun.models.sam.video.Sam2;
import io.gatun.tensor.DType;
import io.gatun.tools.options.NetworkOptions;
import io.gatun.tools.options.RunOptions;
import java.nio.file.Path;
import picocli.CommandLine.Mixin;

/// The options of every command that runs a Segment Anything model.
public final class SamModelOptions {
  @Mixin private NetworkOptions network;
  @Mixin private RunOptions run;

  public int threads() {
    return run.threads();
  }

  RunOptions run() {
    return run;
  }

  public Quantization.Mode quantization() {
    return network.quantize();
  }

  public Sam load(Path model) {
    return load(model, network.dtype(), network.quantize());
  }

  /// With another type of activations, and weights as they are.
  public Sam load(Path model, NetworkOptions.Type dtype) {
    return load(model, dtype.dtype(), Quantization.Mode.NONE);
  }

  /// For videos.
  Sam2 loadSam2(Path model) {
    return Sam2.load(model, o -> choose(o, network.dtype(), network.quantize()));
  }

  private Sam load(Path model, DType.Plain dtype, Quantization.Mode quantization) {
    return Sam.load(model, o -> choose(o, dtype, quantization));
  }

  private void choose(SamOptions o, DType.Plain dtype, Quantization.Mode quantization) {
    o.backend(run.backend())
        .threads(run.threads())
        .loadMode(run.load())
        .force(run.force())
        .dtype(dtype)
        .quantization(quantization);
  }
}
