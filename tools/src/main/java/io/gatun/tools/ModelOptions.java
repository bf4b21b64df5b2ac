package io.gatun.tools;

import io.gatun.loaders.LoadMode;
import io.gatun.models.Llm;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Precision;
import java.nio.file.Path;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/// The options of every command that runs a language model.
final class ModelOptions {
  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description =
          "A GGUF file, a Hugging Face directory, or a .safetensors, .pth or .bin file with its"
              + " config.json beside it. Without it: tiny-llm, which comes with Gatun and writes"
              + " something like Shakespeare.")
  private Path model;

  @Option(
      names = "--tokenizer",
      paramLabel = "FILE",
      description =
          "tokenizer.json, tokenizer.model or llama2.c's tokenizer.bin, where it does not lie"
              + " beside the model.")
  private Path tokenizer;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads that compute (default: the physical cores).")
  private Integer threads;

  @Option(
      names = "--backend",
      paramLabel = "scalar|vector|native",
      converter = BackendConverter.class,
      description = "Kernels to use (default: native).")
  private Backend backend = Backend.NATIVE;

  @Option(
      names = "--precision",
      paramLabel = "fast|f32",
      converter = PrecisionConverter.class,
      description =
          "fast (the default) may round activations to the weights' precision; f32 does not.")
  private Precision precision = Precision.FAST;

  @Option(
      names = "--load",
      paramLabel = "map|copy",
      converter = LoadConverter.class,
      description =
          "Map the file (the default), or copy it into memory, for files that may be truncated"
              + " while they are in use.")
  private LoadMode load = LoadMode.MAP;

  @Option(
      names = "--kv",
      paramLabel = "f16|bf16|f32",
      converter = KvConverter.class,
      description = "Type of the key/value cache (default: f16).")
  private DType.Plain kv = DType.Plain.F16;

  @Option(
      names = "--context",
      paramLabel = "N",
      description = "Most tokens that prompt and answer may have together (default: the model's).")
  private Integer context;

  @Mixin private PackOptions pack;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  Llm load() {
    return Llm.load(
        path(),
        o -> {
          o.pack(pack.isAuto()).notices(spec.commandLine().getErr()::println);
          if (pack.limit() > 0) {
            o.cacheLimit(pack.limit());
          }
          o.backend(backend).precision(precision).loadMode(load).tokenizer(tokenizer).kv(kv);
          if (threads != null) {
            o.threads(threads);
          }
          if (context != null) {
            o.context(context);
          }
        });
  }

  /// The model that was asked for, or the one that comes with Gatun.
  Path path() {
    return model != null ? model : Pretrained.path("tiny-llm");
  }

  private static <E extends Enum<E>> E convert(Class<E> type, String value, String allowed) {
    try {
      return Enum.valueOf(type, value.toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      throw new TypeConversionException("'" + value + "' is not one of " + allowed);
    }
  }

  static final class BackendConverter implements ITypeConverter<Backend> {
    @Override
    public Backend convert(String value) {
      return ModelOptions.convert(Backend.class, value, "scalar, vector, native");
    }
  }

  static final class PrecisionConverter implements ITypeConverter<Precision> {
    @Override
    public Precision convert(String value) {
      return ModelOptions.convert(Precision.class, value, "fast, f32");
    }
  }

  static final class LoadConverter implements ITypeConverter<LoadMode> {
    @Override
    public LoadMode convert(String value) {
      return ModelOptions.convert(LoadMode.class, value, "map, copy");
    }
  }

  static final class KvConverter implements ITypeConverter<DType.Plain> {
    @Override
    public DType.Plain convert(String value) {
      return ModelOptions.convert(DType.Plain.class, value, "f16, bf16, f32");
    }
  }
}
