package io.gatun.tools.options;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/// Reads a number of things of which there is at least one.
public final class CountConverter implements ITypeConverter<Integer> {
  @Override
  public Integer convert(String value) {
    try {
      int count = Integer.parseInt(value);
      if (count >= 1) {
        return count;
      }
    } catch (NumberFormatException e) {
      // Said below.
    }
    throw new TypeConversionException("'" + value + "' is not a whole number of at least 1");
  }
}
