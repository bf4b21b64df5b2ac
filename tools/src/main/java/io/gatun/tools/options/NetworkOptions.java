package io.gatun.tools.options;

import io.gatun.models.nn.Quantization;
import io.gatun.tensor.DType;
import picocli.CommandLine.Option;

/// The options of every command that runs a network for images: the types that it computes in.
public final class NetworkOptions {
  public static final String ABOUT_DTYPE =
      "Type of the activations (default: bf16 where the CPU has instructions for it, else f32,"
          + " which is then faster).";

  /// What activations can be.
  public enum Type {
    BF16,
    F32;

    public DType.Plain dtype() {
      return switch (this) {
        case BF16 -> DType.Plain.BF16;
        case F32 -> DType.Plain.F32;
      };
    }
  }

  @Option(names = "--dtype", paramLabel = "bf16|f32", description = ABOUT_DTYPE)
  private Type dtype;

  @Option(
      names = "--quantize",
      paramLabel = "none|int8|int8-dynamic",
      defaultValue = "none",
      description =
          "Keep linear layers (of Segment Anything's image encoder, of Stable Diffusion's UNet the"
              + " large ones) in 8 bits; int8-dynamic rounds their inputs, too, which is faster"
              + " (default: ${DEFAULT-VALUE}).")
  private Quantization.Mode quantize;

  /// Null for what is fast here.
  public DType.Plain dtype() {
    return dtype == null ? null : dtype.dtype();
  }

  public Quantization.Mode quantize() {
    return quantize;
  }
}
