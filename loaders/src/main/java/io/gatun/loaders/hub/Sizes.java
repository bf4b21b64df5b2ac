package io.gatun.loaders.hub;

import java.util.Locale;

/// Sizes for people, in the units of the hub's pages.
final class Sizes {
  private Sizes() {}

  static String of(long bytes) {
    if (bytes < 1_000_000) {
      return String.format(Locale.ROOT, "%.1f KB", bytes / 1e3);
    }
    return bytes < 1_000_000_000
        ? String.format(Locale.ROOT, "%.1f MB", bytes / 1e6)
        : String.format(Locale.ROOT, "%.1f GB", bytes / 1e9);
  }
}
