package io.gatun.tools;

import io.gatun.loaders.LoadMode;
import io.gatun.models.Llm;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Precision;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/// The options of every command that runs a language model.
final class ModelOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Mixin private ModelPath files;

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
      paramLabel = "f16|bf16|f32|int8",
      converter = KvConverter.class,
      description =
          "Type of the key/value cache (default: f16). int8, with a scale for each key and value of"
              + " a head, takes half the memory of f16 and is read faster in long contexts.")
  private DType.Plain kv = DType.Plain.F16;

  @Option(
      names = "--context",
      paramLabel = "N",
      description = "Most tokens that the model looks at together (default: its own limit).")
  private Integer context;

  @Mixin private PackOptions pack;

  Llm load() {
    var llm =
        Llm.load(
            files.model(),
            o -> {
              o.pack(pack.isAuto()).notices(command.commandLine().getErr()::println);
              if (pack.limit() > 0) {
                o.cacheLimit(pack.limit());
              }
              o.backend(backend)
                  .precision(precision)
                  .loadMode(load)
                  .tokenizer(files.tokenizerFile())
                  .kv(kv);
              if (threads != null) {
                o.threads(threads);
              }
              if (context != null) {
                o.context(context);
              }
            });
    int limit = llm.model().config().maxPositionEmbeddings();
    if (llm.contextLimit() > limit) {
      command
          .commandLine()
          .getErr()
          .printf(
              "gatun: warning: --context %d is more than the %d tokens that the model was made for;"
                  + " what it writes beyond them may make no sense.%n",
              context, limit);
    }
    return llm;
  }

  static <E extends Enum<E>> E convert(Class<E> type, String value, String allowed) {
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
      return switch (value.toLowerCase(Locale.ROOT)) {
        case "f16" -> DType.Plain.F16;
        case "bf16" -> DType.Plain.BF16;
        case "f32" -> DType.Plain.F32;
        case "int8" -> DType.Plain.I8;
        default ->
            throw new TypeConversionException("'" + value + "' is not one of f16, bf16, f32, int8");
      };
    }
  }
}
