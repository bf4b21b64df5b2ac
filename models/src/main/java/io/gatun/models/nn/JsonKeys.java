package io.gatun.models.nn;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.loaders.CheckpointException;

/// Reads typed values from a config.json; a key that is null counts as absent.
///
/// Every method throws [CheckpointException] if the value is of another type than asked for.
///
/// @param where the file's name, for messages
public record JsonKeys(JsonNode json, String where) {
  public int integer(String key) {
    JsonNode v = json.path(key);
    if (!v.isIntegralNumber() || !v.canConvertToInt()) {
      throw wrong(key, "an integer");
    }
    return v.intValue();
  }

  public int integer(String key, int absent) {
    return isAbsent(key) ? absent : integer(key);
  }

  public double number(String key, double absent) {
    if (isAbsent(key)) {
      return absent;
    }
    if (!json.path(key).isNumber()) {
      throw wrong(key, "a number");
    }
    return json.path(key).doubleValue();
  }

  public String text(String key, String absent) {
    if (isAbsent(key)) {
      return absent;
    }
    if (!json.path(key).isTextual()) {
      throw wrong(key, "a text");
    }
    return json.path(key).textValue();
  }

  public boolean flag(String key, boolean absent) {
    if (isAbsent(key)) {
      return absent;
    }
    if (!json.path(key).isBoolean()) {
      throw wrong(key, "true or false");
    }
    return json.path(key).booleanValue();
  }

  public void require(String key, String needed, String absent) {
    String v = text(key, absent);
    if (!v.equals(needed)) {
      throw new CheckpointException(
          "%s: \"%s\" is \"%s\"; Gatun runs only \"%s\"".formatted(where, key, v, needed));
    }
  }

  /// Whether there is no such key, or it is null.
  public boolean isAbsent(String key) {
    return json.path(key).isMissingNode() || json.path(key).isNull();
  }

  private CheckpointException wrong(String key, String need) {
    JsonNode v = json.path(key);
    return new CheckpointException(
        "%s: \"%s\" is %s; need %s"
            .formatted(where, key, v.isMissingNode() ? "missing" : v.toString(), need));
  }
}
