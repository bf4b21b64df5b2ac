package io.gatun.tools;

import io.gatun.models.nn.Quantization;
import io.gatun.tensor.DType;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;

/// The options of every command that runs a network for images: the types that it computes in.
final class NetworkOptions {
  @Option(
      names = "--dtype",
      paramLabel = "bf16|f32",
      converter = DtypeConverter.class,
      description = "Type of the activations (default: bf16 where it is fast, else f32).")
  private DType.Plain dtype;

  @Option(
      names = "--quantize",
      paramLabel = "none|int8|int8-dynamic",
      converter = QuantizeConverter.class,
      description =
          "Keep linear layers (of Segment Anything's image encoder, of Stable Diffusion's UNet the"
              + " large ones) in 8 bits; int8-dynamic rounds their inputs, too, which is faster"
              + " (default: none).")
  private Quantization.Mode quantize = Quantization.Mode.NONE;

  /// Null for what is fast here.
  DType.Plain dtype() {
    return dtype;
  }

  Quantization.Mode quantize() {
    return quantize;
  }

  static final class DtypeConverter implements ITypeConverter<DType.Plain> {
    private static final SequencedMap<String, DType.Plain> WORDS = new LinkedHashMap<>();

    static {
      WORDS.put("bf16", DType.Plain.BF16);
      WORDS.put("f32", DType.Plain.F32);
    }

    @Override
    public DType.Plain convert(String value) {
      return Choice.of(WORDS, value);
    }
  }

  static final class QuantizeConverter implements ITypeConverter<Quantization.Mode> {
    private static final SequencedMap<String, Quantization.Mode> WORDS = new LinkedHashMap<>();

    static {
      WORDS.put("none", Quantization.Mode.NONE);
      WORDS.put("int8", Quantization.Mode.INT8_WEIGHTS);
      WORDS.put("int8-dynamic", Quantization.Mode.INT8_DYNAMIC);
    }

    @Override
    public Quantization.Mode convert(String value) {
      return Choice.of(WORDS, value);
    }
  }
}
