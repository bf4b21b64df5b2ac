package io.gatun.models.nn;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.gatun.loaders.CheckpointException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/// Reads typed values from a config.json; a key that is null counts as absent.
///
/// Every method throws [CheckpointException] if the value is of another type than asked for.
///
/// @param where the file's name, for messages
public record JsonKeys(JsonNode json, String where) {
  private static final int MAX_LIST = 256;

  /// diffusers writes -Infinity.
  private static final JsonMapper JSON =
      JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();

  /// The keys of a file.
  ///
  /// @throws CheckpointException if it is missing or no JSON object
  public static JsonKeys read(Path file) {
    if (!Files.exists(file)) {
      throw new CheckpointException(
          "%s is missing; it says how the weights beside it are used. Copy it there from where they"
                  .formatted(file)
              + " came from");
    }
    try {
      JsonNode json = JSON.readTree(file.toFile());
      if (!json.isObject()) {
        throw new CheckpointException(file + ": need a JSON object, found " + json.getNodeType());
      }
      return new JsonKeys(json, file.toString());
    } catch (IOException e) {
      throw new CheckpointException(file + " cannot be read: " + e.getMessage(), e);
    }
  }

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

  /// A positive integer.
  public int count(String key) {
    return count(key, json.path(key));
  }

  private int count(String key, JsonNode v) {
    if (!v.isIntegralNumber() || !v.canConvertToInt() || v.intValue() < 1) {
      throw wrong(key, "whole numbers of at least 1");
    }
    return v.intValue();
  }

  /// A list of positive integers.
  public List<Integer> counts(String key) {
    var list = new ArrayList<Integer>();
    for (JsonNode v : list(key)) {
      list.add(count(key, v));
    }
    return list;
  }

  /// `size` positive integers, or one that stands for them all.
  public List<Integer> counts(String key, int size) {
    if (!json.path(key).isArray()) {
      return Collections.nCopies(size, count(key));
    }
    var list = counts(key);
    if (list.size() != size) {
      throw wrong(key, size + " values, or one for all");
    }
    return list;
  }

  /// A list of strings.
  public List<String> texts(String key) {
    var list = new ArrayList<String>();
    for (JsonNode v : list(key)) {
      list.add(v.asText());
    }
    return list;
  }

  private JsonNode list(String key) {
    JsonNode v = json.path(key);
    if (!v.isArray() || v.isEmpty() || v.size() > MAX_LIST) {
      throw wrong(key, "a list of 1 to " + MAX_LIST + " values");
    }
    return v;
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

  /// Checks that a number is the only one that Gatun runs.
  public void require(String key, double needed) {
    double v = number(key, needed);
    if (v != needed) {
      throw new CheckpointException(
          "%s: \"%s\" is %s; Gatun runs only %s".formatted(where, key, v, needed));
    }
  }

  /// Checks that a key for what Gatun does not do is absent, null or false.
  public void refuse(String key) {
    JsonNode v = json.path(key);
    if (!isAbsent(key) && !(v.isBoolean() && !v.booleanValue())) {
      throw new CheckpointException(
          "%s: \"%s\" is %s; Gatun runs only models without it".formatted(where, key, v));
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
