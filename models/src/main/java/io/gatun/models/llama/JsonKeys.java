package io.gatun.models.llama;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.loaders.CheckpointException;

/// Reads typed values from a config.json; a key that is null counts as absent.
record JsonKeys(JsonNode json, String where) {
  int integer(String key) {
    JsonNode v = json.path(key);
    if (!v.isIntegralNumber() || !v.canConvertToInt()) {
      throw new CheckpointException(
          "%s: \"%s\" is %s; need an integer".formatted(where, key, found(v)));
    }
    return v.intValue();
  }

  int integer(String key, int absent) {
    return isAbsent(key) ? absent : integer(key);
  }

  double number(String key, double absent) {
    if (isAbsent(key)) {
      return absent;
    }
    JsonNode v = json.path(key);
    if (!v.isNumber()) {
      throw new CheckpointException(
          "%s: \"%s\" is %s; need a number".formatted(where, key, found(v)));
    }
    return v.doubleValue();
  }

  String text(String key, String absent) {
    return isAbsent(key) ? absent : json.path(key).asText();
  }

  boolean flag(String key, boolean absent) {
    return isAbsent(key) ? absent : json.path(key).asBoolean();
  }

  void require(String key, String needed, String absent) {
    String v = text(key, absent);
    if (!v.equals(needed)) {
      throw new CheckpointException(
          "%s: \"%s\" is \"%s\"; Gatun runs only \"%s\"".formatted(where, key, v, needed));
    }
  }

  private boolean isAbsent(String key) {
    return json.path(key).isMissingNode() || json.path(key).isNull();
  }

  private static String found(JsonNode v) {
    return v.isMissingNode() ? "missing" : v.toString();
  }
}
