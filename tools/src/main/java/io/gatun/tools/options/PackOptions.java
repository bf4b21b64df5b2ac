package io.gatun.tools.options;

import java.util.Locale;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/// Whether models are packed into the cache, and how much of them it may hold.
public final class PackOptions {
  /// Whether a file is packed.
  enum When {
    AUTO,
    NEVER
  }

  @Option(
      names = "--pack",
      paramLabel = "auto|never",
      defaultValue = "auto",
      description =
          "auto repacks a GGUF file, or the integers of GPTQ, AWQ and the like, once into the"
              + " cache, with the same values, and runs that; never runs the file's own blocks"
              + " (default: ${DEFAULT-VALUE}). See also: gatun cache.")
  private When when;

  @Option(
      names = "--cache-limit",
      paramLabel = "SIZE",
      converter = SizeConverter.class,
      description =
          "Most bytes of packed files to keep, such as 50G (default: 20G, or a tenth of a larger"
              + " disk).")
  private Long limit;

  public boolean isAuto() {
    return when == When.AUTO;
  }

  /// The limit in bytes, or 0 for the default.
  public long limit() {
    return limit == null ? 0 : limit;
  }

  public static final class SizeConverter implements ITypeConverter<Long> {
    private static final Pattern SIZE = Pattern.compile("([1-9]\\d{0,8})([KMGT])B?");

    @Override
    public Long convert(String value) {
      var size = SIZE.matcher(value.toUpperCase(Locale.ROOT));
      if (!size.matches()) {
        throw new TypeConversionException("'" + value + "' is no size such as 500M or 50G");
      }
      long bytes = Long.parseLong(size.group(1));
      for (int i = "KMGT".indexOf(size.group(2)); i >= 0; i--) {
        bytes *= 1000;
      }
      return bytes;
    }
  }
}
