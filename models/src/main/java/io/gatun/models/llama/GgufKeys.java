package io.gatun.models.llama;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.UnknownKeys;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/// Reads typed values of one architecture from a GGUF file's metadata, and notes which.
final class GgufKeys {
  private final Map<String, Object> metadata;
  private final String architecture;
  private final String where;
  private final Set<String> read = new HashSet<>();

  GgufKeys(Map<String, Object> metadata, String architecture, String where) {
    this.metadata = metadata;
    this.architecture = architecture;
    this.where = where;
  }

  /// A positive integer.
  int count(String key) {
    double v = number(key);
    if (v < 1 || v > Integer.MAX_VALUE || v != Math.rint(v)) {
      throw wrong(key, "a whole number from 1 to 2147483647");
    }
    return (int) v;
  }

  int count(String key, int absent) {
    return has(key) ? count(key) : absent;
  }

  /// A positive integer, or 0 for none.
  int countOrNone(String key) {
    return has(key) && number(key) != 0 ? count(key) : 0;
  }

  double number(String key, double absent) {
    return has(key) ? number(key) : absent;
  }

  private double number(String key) {
    if (!(get(key) instanceof Number n) || !Double.isFinite(n.doubleValue())) {
      throw wrong(key, "one number");
    }
    return n.doubleValue();
  }

  String text(String key, String absent) {
    if (!has(key)) {
      return absent;
    }
    if (!(get(key) instanceof String text)) {
      throw wrong(key, "a text");
    }
    return text;
  }

  boolean has(String key) {
    return get(key) != null;
  }

  private Object get(String key) {
    read.add(full(key));
    return metadata.get(full(key));
  }

  /// Checks, once a configuration is read, that the architecture has no key but those that were
  /// asked for, those that are off (0, false or empty), and those that change no results.
  ///
  /// @throws CheckpointException if there are others; it names them
  void requireAllRead(Pattern harmless) {
    UnknownKeys.refuse(
        where,
        metadata.entrySet().stream()
            .filter(e -> e.getKey().startsWith(architecture + ".") && !read.contains(e.getKey()))
            .filter(e -> !isOff(e.getValue()))
            .filter(e -> !harmless.matcher(e.getKey().substring(full("").length())).matches())
            .map(e -> UnknownKeys.shown(e.getKey(), e.getValue()))
            .toList());
  }

  private static boolean isOff(Object v) {
    return v.equals(false) || v.equals("") || (v instanceof Number n && n.doubleValue() == 0);
  }

  String full(String key) {
    return architecture + "." + key;
  }

  private CheckpointException wrong(String key, String need) {
    Object v = get(key);
    return new CheckpointException(
        "%s: metadata %s is %s; need %s"
            .formatted(where, full(key), v == null ? "missing" : UnknownKeys.shown(v), need));
  }
}
