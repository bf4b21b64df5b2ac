package io.gatun.tools;

import io.gatun.loaders.LoadMode;
import io.gatun.models.Pretrained;
import io.gatun.models.nn.Quantization;
import io.gatun.models.sam.Sam;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/// The options of every command that runs Segment Anything.
final class SamModelOptions {
  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description =
          "Meta's sam_vit_*.pth, a .safetensors file with the same names, or Hugging Face's"
              + " directory. Without it: tiny-sam, which comes with Gatun and knows drawn shapes"
              + " only.")
  private Path model;

  @Option(
      names = "--dtype",
      paramLabel = "bf16|f32",
      converter = DTypeConverter.class,
      description = "Type of the activations (default: bf16 where it is fast, else f32).")
  private DType.Plain dtype;

  @Option(
      names = "--quantize",
      paramLabel = "int8|int8-dynamic",
      converter = QuantizationConverter.class,
      description =
          "Keep the image encoder's matrices as 8-bit integers; int8-dynamic multiplies in integers"
              + " too.")
  private Quantization.Mode quantization = Quantization.Mode.NONE;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads that compute (default: the physical cores).")
  private Integer threads;

  @Option(
      names = "--backend",
      paramLabel = "scalar|vector|native",
      converter = ModelOptions.BackendConverter.class,
      description = "Kernels to use (default: native).")
  private Backend backend = Backend.NATIVE;

  @Option(
      names = "--load",
      paramLabel = "map|copy",
      converter = ModelOptions.LoadConverter.class,
      description =
          "Map the file (the default), or copy it into memory, for files that may be truncated"
              + " while they are in use.")
  private LoadMode load = LoadMode.MAP;

  Sam load() {
    Path path = model != null ? model : Pretrained.path("tiny-sam");
    return Sam.load(
        path,
        o -> {
          o.backend(backend).loadMode(load).quantization(quantization);
          if (dtype != null) {
            o.dtype(dtype);
          }
          if (threads != null) {
            o.threads(threads);
          }
        });
  }

  static final class DTypeConverter implements ITypeConverter<DType.Plain> {
    @Override
    public DType.Plain convert(String value) {
      return switch (value) {
        case "bf16" -> DType.Plain.BF16;
        case "f32" -> DType.Plain.F32;
        default -> throw new TypeConversionException("'" + value + "' is not one of bf16, f32");
      };
    }
  }

  static final class QuantizationConverter implements ITypeConverter<Quantization.Mode> {
    @Override
    public Quantization.Mode convert(String value) {
      return switch (value) {
        case "int8" -> Quantization.Mode.INT8_WEIGHTS;
        case "int8-dynamic" -> Quantization.Mode.INT8_DYNAMIC;
        default ->
            throw new TypeConversionException("'" + value + "' is not one of int8, int8-dynamic");
      };
    }
  }
}
