package io.gatun.tools.options;

import io.gatun.loaders.LoadMode;
import io.gatun.models.Thinking;
import io.gatun.models.diffusion.Rng;
import io.gatun.models.encoder.Pooling;
import io.gatun.models.nn.Quantization;
import io.gatun.models.quantize.Method;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Precision;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import picocli.CommandLine;
import picocli.CommandLine.TypeConversionException;

/// How the words of options become values.
public final class Converters {
  private static final SequencedMap<String, DType.Plain> CACHE_TYPES = new LinkedHashMap<>();
  private static final SequencedMap<String, Quantization.Mode> MODES = new LinkedHashMap<>();

  static {
    CACHE_TYPES.put("f16", DType.Plain.F16);
    CACHE_TYPES.put("bf16", DType.Plain.BF16);
    CACHE_TYPES.put("f32", DType.Plain.F32);
    CACHE_TYPES.put("int8", DType.Plain.I8);
    MODES.put("none", Quantization.Mode.NONE);
    MODES.put("int8", Quantization.Mode.INT8_WEIGHTS);
    MODES.put("int8-dynamic", Quantization.Mode.INT8_DYNAMIC);
  }

  private Converters() {}

  /// What `--quantize` calls it.
  public static String word(Quantization.Mode mode) {
    return MODES.entrySet().stream()
        .filter(e -> e.getValue() == mode)
        .findFirst()
        .orElseThrow()
        .getKey();
  }

  /// Gives a command, and those below it, what options of more than one command need.
  public static void register(CommandLine commands) {
    choice(commands, Backend.class);
    choice(commands, LoadMode.class);
    choice(commands, Precision.class);
    choice(commands, Rng.class);
    choice(commands, Method.class);
    choice(commands, NetworkOptions.Type.class);
    choice(commands, PackOptions.When.class);
    choice(commands, Pooling.class);
    choice(commands, Thinking.class);
    commands.registerConverter(DType.Plain.class, value -> Choice.of(CACHE_TYPES, value));
    commands.registerConverter(Quantization.Mode.class, value -> Choice.of(MODES, value));
    commands.registerConverter(Pattern.class, Converters::pattern);
    commands.registerConverter(Path.class, Converters::path);
    number(commands, Integer.class, int.class, Integer::valueOf, "a whole number");
    number(commands, Long.class, long.class, Long::valueOf, "a whole number");
    number(commands, Float.class, float.class, Float::valueOf, "a number");
    number(commands, Double.class, double.class, Double::valueOf, "a number");
  }

  /// Gives them the words of one more type.
  public static <E extends Enum<E>> void choice(CommandLine commands, Class<E> type) {
    commands.registerConverter(type, value -> Choice.of(type, value));
  }

  private static <N> void number(
      CommandLine commands, Class<N> type, Class<N> raw, Function<String, N> parse, String form) {
    for (var asked : new Class<?>[] {type, raw}) {
      @SuppressWarnings("unchecked") // they are the same but for null
      var either = (Class<N>) asked;
      commands.registerConverter(
          either,
          value -> {
            try {
              return parse.apply(value);
            } catch (NumberFormatException e) {
              String large = value.matches("[+-]?\\d+") ? " that Gatun can count to" : "";
              throw new TypeConversionException("'" + value + "' is not " + form + large);
            }
          });
    }
  }

  private static Pattern pattern(String value) {
    try {
      return Pattern.compile(value);
    } catch (PatternSyntaxException e) {
      throw new TypeConversionException(
          "'" + value + "' is no regular expression: " + e.getDescription());
    }
  }

  private static Path path(String value) {
    if (value.isEmpty()) {
      throw new TypeConversionException("it is empty; need a path");
    }
    return Path.of(value);
  }
}
