package io.gatun.loaders.hub;

import io.gatun.loaders.CheckpointException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Set;

/// What the environment says about the hub, with the names and defaults of Hugging Face's own
/// library. A Java property of the same name goes before a variable: a process cannot change its
/// variables.
final class HubSettings {
  private static final Set<String> TRUE = Set.of("1", "ON", "YES", "TRUE");

  private HubSettings() {}

  /// The value, or null if it is not set.
  static String get(String... names) {
    for (String name : names) {
      String value = System.getProperty(name, System.getenv(name));
      if (value != null && !value.isBlank()) {
        return value.strip();
      }
    }
    return null;
  }

  static boolean isTrue(String... names) {
    String value = get(names);
    return value != null && TRUE.contains(value.toUpperCase(Locale.ROOT));
  }

  /// The folder of the cache.
  static Path cache() {
    String named = get("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE");
    return named != null ? path(named) : home().resolve("hub");
  }

  static String endpoint() {
    String named = get("HF_ENDPOINT");
    return named != null ? named : "https://huggingface.co";
  }

  /// The user's token, or null without one.
  static String token() {
    String named = get("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN");
    if (named != null || isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
      return named;
    }
    String file = get("HF_TOKEN_PATH");
    Path path = file != null ? path(file) : home().resolve("token");
    try {
      String token = Files.readString(path).strip();
      return token.isEmpty() ? null : token;
    } catch (NoSuchFileException e) {
      return null;
    } catch (IOException e) {
      throw new CheckpointException(
          "%s: the token for the hub cannot be read: %s; mend the file, or set HF_TOKEN"
              .formatted(path, e.getMessage()),
          e);
    }
  }

  /// The home of a user's folders: `$HOME` before what the list of users says.
  static Path userHome() {
    String home = get("HOME");
    return Path.of(home != null ? home : System.getProperty("user.home"));
  }

  private static Path home() {
    String named = get("HF_HOME");
    if (named != null) {
      return path(named);
    }
    String caches = get("XDG_CACHE_HOME");
    return (caches != null ? path(caches) : userHome().resolve(".cache")).resolve("huggingface");
  }

  static Path path(String text) {
    return text.equals("~") || text.startsWith("~/")
        ? userHome().resolve(text.substring(Math.min(2, text.length())))
        : Path.of(text).toAbsolutePath();
  }
}
