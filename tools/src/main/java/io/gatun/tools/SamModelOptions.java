package io.gatun.tools;

import io.gatun.loaders.LoadMode;
import io.gatun.models.nn.Quantization;
import io.gatun.models.sam.Sam;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Workers;
import java.nio.file.Path;
import java.util.Map;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/// The options of every command that runs a Segment Anything model.
final class SamModelOptions {
  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads that compute (default: the physical cores).")
  private int threads = Workers.defaultThreads();

  @Option(
      names = "--backend",
      paramLabel = "scalar|vector|native",
      converter = ModelOptions.BackendConverter.class,
      description = "Kernels to use (default: native).")
  private Backend backend = Backend.NATIVE;

  @Option(
      names = "--dtype",
      paramLabel = "f32|bf16",
      converter = DtypeConverter.class,
      description = "Type of the activations (default: bf16 where it is fast, else f32).")
  private DType.Plain dtype;

  @Option(
      names = "--quantize",
      paramLabel = "int8|int8-dynamic",
      converter = QuantizeConverter.class,
      description =
          "Run the image encoder's linear layers with 8-bit weights, or with 8-bit activations"
              + " too.")
  private Quantization.Mode quantize = Quantization.Mode.NONE;

  @Option(
      names = "--load",
      paramLabel = "map|copy",
      converter = ModelOptions.LoadConverter.class,
      description =
          "Map the file (the default), or copy it into memory, for files that may be truncated"
              + " while they are in use.")
  private LoadMode load = LoadMode.MAP;

  int threads() {
    return threads;
  }

  Sam load(Path model) {
    return Sam.load(
        model,
        o ->
            o.backend(backend).threads(threads).dtype(dtype).quantization(quantize).loadMode(load));
  }

  static final class DtypeConverter implements ITypeConverter<DType.Plain> {
    @Override
    public DType.Plain convert(String value) {
      return choose(Map.of("f32", DType.Plain.F32, "bf16", DType.Plain.BF16), value, "f32, bf16");
    }
  }

  static final class QuantizeConverter implements ITypeConverter<Quantization.Mode> {
    @Override
    public Quantization.Mode convert(String value) {
      return choose(
          Map.of(
              "int8",
              Quantization.Mode.INT8_WEIGHTS,
              "int8-dynamic",
              Quantization.Mode.INT8_DYNAMIC),
          value,
          "int8, int8-dynamic");
    }
  }

  private static <T> T choose(Map<String, T> choices, String value, String allowed) {
    T choice = choices.get(value);
    if (choice == null) {
      throw new TypeConversionException("'" + value + "' is not one of " + allowed);
    }
    return choice;
  }
}
