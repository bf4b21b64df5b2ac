package io.gatun.ffm.files;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;

/// Where a user's files of each kind belong on this system.
final class UserFolders {
  private UserFolders() {}

  /// What can be made again: `$XDG_CACHE_HOME/gatun` or `~/.cache/gatun`, `~/Library/Caches/gatun`,
  /// `%LOCALAPPDATA%\gatun`. Empty where there is no home.
  static Optional<Path> cache() {
    return folder("XDG_CACHE_HOME", ".cache", "Library/Caches", "LOCALAPPDATA", "AppData/Local");
  }

  /// What is to be kept, such as histories: `$XDG_STATE_HOME/gatun` or `~/.local/state/gatun`,
  /// `~/Library/Application Support/gatun`, `%APPDATA%\gatun`. Empty where there is no home.
  static Optional<Path> state() {
    return folder(
        "XDG_STATE_HOME",
        ".local/state",
        "Library/Application Support",
        "APPDATA",
        "AppData/Roaming");
  }

  private static Optional<Path> folder(
      String xdg, String linux, String mac, String variable, String windows) {
    String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    if (os.startsWith("mac")) {
      return home().map(home -> home.resolve(mac).resolve("gatun"));
    }
    boolean onWindows = os.startsWith("windows");
    return absolute(System.getenv(onWindows ? variable : xdg))
        .or(() -> home().map(home -> home.resolve(onWindows ? windows : linux)))
        .map(folder -> folder.resolve("gatun"));
  }

  /// `$HOME` before what the list of users says: whoever sets it means it.
  private static Optional<Path> home() {
    return absolute(System.getenv("HOME")).or(() -> absolute(System.getProperty("user.home")));
  }

  /// XDG's rule: what is not absolute counts as not set. Java's own `?` for no home is not, either.
  private static Optional<Path> absolute(String path) {
    return Optional.ofNullable(path)
        .filter(p -> !p.isEmpty())
        .map(Path::of)
        .filter(Path::isAbsolute);
  }
}
