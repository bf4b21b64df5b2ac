package io.gatun.tools.console;

import java.util.Locale;

/// Numbers for people.
public final class Units {
  private static final String[] BINARY = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  private static final String[] DECIMAL = {"", "K", "M", "B", "T"};

  private Units() {}

  /// `3.2 GiB`.
  public static String bytes(long bytes) {
    return scaled((double) bytes, 1024, BINARY);
  }

  /// `1.1 B`, as parameters are counted.
  public static String count(long count) {
    return scaled((double) count, 1000, DECIMAL).strip();
  }

  private static String scaled(double value, int base, String[] units) {
    int unit = 0;
    while (value >= base && unit < units.length - 1) {
      value /= base;
      unit++;
    }
    return String.format(Locale.ROOT, unit == 0 ? "%.0f %s" : "%.2f %s", value, units[unit]);
  }
}
