package io.gatun.ffm;

import java.nio.file.Path;

/// Where Gatun keeps files that it can make again.
public final class UserCache {
  private UserCache() {}

  /// The user's cache folder of Gatun: `-Dgatun.cache`, or the platform's usual place
  /// (`$XDG_CACHE_HOME/gatun` or `~/.cache/gatun` on Linux).
  public static Path folder() {
    String chosen = System.getProperty("gatun.cache");
    if (chosen != null) {
      return Path.of(chosen).toAbsolutePath();
    }
    Path home = Path.of(System.getProperty("user.home"));
    return switch (Platform.current().os()) {
      case "windows" -> environment("LOCALAPPDATA", home.resolve("AppData/Local")).resolve("gatun");
      case "macosx" -> home.resolve("Library/Caches/gatun");
      default -> environment("XDG_CACHE_HOME", home.resolve(".cache")).resolve("gatun");
    };
  }

  private static Path environment(String variable, Path otherwise) {
    String value = System.getenv(variable);
    return value == null || value.isEmpty() ? otherwise : Path.of(value).toAbsolutePath();
  }
}
