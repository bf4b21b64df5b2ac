package io.gatun.tools.options;

import java.util.Locale;
import java.util.SequencedMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.TypeConversionException;

/// Reading options that are one of a few words, in either case.
public final class Choice {
  private Choice() {}

  /// The constant of that name.
  ///
  /// @throws TypeConversionException if there is none
  public static <E extends Enum<E>> E of(Class<E> type, String value) {
    return Stream.of(type.getEnumConstants())
        .filter(constant -> word(constant).equals(value.toLowerCase(Locale.ROOT)))
        .findFirst()
        .orElseThrow(
            () ->
                refusal(
                    value,
                    Stream.of(type.getEnumConstants())
                        .map(Choice::word)
                        .collect(Collectors.joining(", "))));
  }

  private static String word(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }

  /// The value of that word.
  ///
  /// @throws TypeConversionException if there is none
  static <T> T of(SequencedMap<String, T> words, String value) {
    T found = words.get(value.toLowerCase(Locale.ROOT));
    if (found == null) {
      throw refusal(value, String.join(", ", words.keySet()));
    }
    return found;
  }

  private static TypeConversionException refusal(String value, String words) {
    return new TypeConversionException("'" + value + "' is not one of " + words);
  }
}
