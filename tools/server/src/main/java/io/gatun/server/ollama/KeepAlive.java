package io.gatun.server.ollama;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.server.http.Fields;
import java.util.regex.Pattern;

/// `keep_alive`: how long a model is to stay loaded.
final class KeepAlive {
  /// A number of seconds, or as in `1h30m`.
  private static final Pattern DURATION =
      Pattern.compile("-?(\\d+|(\\d+(\\.\\d+)?(ns|us|[\\u00b5\\u03bc]s|ms|s|m|h))+)");

  private KeepAlive() {}

  /// Reads it.
  ///
  /// @return whether the model is to be unloaded afterwards; it stays anyway for as long as there
  ///   is room for it
  static boolean isOver(Fields f) {
    JsonNode value = f.get("keep_alive");
    if (value == null) {
      return false;
    }
    if (!value.isNumber() && !DURATION.matcher(value.asText()).matches()) {
      throw f.invalid(
          "keep_alive",
          "is %s; need seconds or a duration such as \"5m\"".formatted(Fields.brief(value)));
    }
    return !value.asText().matches(".*[1-9].*");
  }
}
