package io.gatun.models.nn;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.loaders.CheckpointException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/// Reads typed values from a config.json; a key that is null counts as absent.
///
/// Every method throws [CheckpointException] if the value is of another type than asked for. Which
/// keys were asked for is noted, so that [#requireAllRead] finds those that no code knows.
public class JsonKeys {
  private static final int MAX_LIST = 256;
  private static final int MAX_TEXT = 200;

  /// Configurations have some kilobytes; with lists of labels, up to one megabyte.
  private static final long MAX_BYTES = 4 << 20;

  private static final Pattern NONE = Pattern.compile("");

  private final JsonNode json;
  private final String where;
  private final Set<String> read = new HashSet<>();

  /// @param where the file's name, for messages
  public JsonKeys(JsonNode json, String where) {
    this.json = json;
    this.where = where;
  }

  /// The keys of a file.
  ///
  /// @throws CheckpointException if it is missing, too large or no JSON object
  public static JsonKeys read(Path file) {
    if (!Files.exists(file)) {
      throw new CheckpointException(
          "%s is missing; it says how the weights beside it are used. Copy it there from where they"
                  .formatted(file)
              + " came from");
    }
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw new CheckpointException(
            "%s has %d bytes; at most %d are read of a configuration"
                .formatted(file, Files.size(file), MAX_BYTES));
      }
      JsonNode json = JsonTree.read(file);
      if (!json.isObject()) {
        throw new CheckpointException(file + ": need a JSON object, found " + json.getNodeType());
      }
      return new JsonKeys(json, file.toString());
    } catch (IOException e) {
      throw new CheckpointException(file + " cannot be read: " + e.getMessage(), e);
    }
  }

  /// All keys, for what no method here reads; those that are taken from it count as unknown.
  public JsonNode json() {
    return json;
  }

  /// The file's name, for messages.
  public String where() {
    return where;
  }

  /// What the file itself calls a key, for messages.
  public String shown(String key) {
    return key;
  }

  private JsonNode get(String key) {
    read.add(key);
    return json.path(key);
  }

  /// The keys of an object in this one, none if it is absent.
  public JsonKeys section(String key) {
    JsonNode section = get(key);
    if (!isAbsent(key) && !section.isObject()) {
      throw wrong(key, "an object");
    }
    return new JsonKeys(section, where + ", " + key);
  }

  /// As [#requireAllRead(Pattern)], for files that have no harmless keys of their own.
  public void requireAllRead() {
    requireAllRead(NONE);
  }

  /// Checks, once a configuration is read, that there is no key but those that were asked for,
  /// those that are off (null, false or empty), and those that change no results.
  ///
  /// @param harmless keys that do not, beside what all files have
  /// @throws CheckpointException if there are others; it names them
  public void requireAllRead(Pattern harmless) {
    var unknown = new ArrayList<String>();
    for (var e : json.properties()) {
      String key = e.getKey();
      JsonNode v = e.getValue();
      boolean off =
          v.isNull()
              || (v.isBoolean() && !v.booleanValue())
              || (v.isContainerNode() && v.isEmpty());
      if (!off
          && !read.contains(key)
          && !UnknownKeys.isHarmless(key)
          && !harmless.matcher(key).matches()) {
        unknown.add(UnknownKeys.shown(shown(key), v));
      }
    }
    UnknownKeys.refuse(where, unknown);
  }

  public int integer(String key) {
    JsonNode v = get(key);
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
    return count(key, get(key));
  }

  public int count(String key, int absent) {
    return isAbsent(key) ? absent : count(key);
  }

  private int count(String key, JsonNode v) {
    if (!v.isIntegralNumber() || !v.canConvertToInt() || v.intValue() < 1) {
      throw wrong(key, "whole numbers from 1 to 2147483647");
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
    if (!get(key).isArray()) {
      return Collections.nCopies(size, count(key));
    }
    var list = counts(key);
    if (list.size() != size) {
      throw wrong(key, size + " values, or one for all");
    }
    return list;
  }

  /// A list of numbers.
  public float[] numbers(String key) {
    JsonNode list = list(key);
    var numbers = new float[list.size()];
    for (int i = 0; i < numbers.length; i++) {
      if (!list.get(i).isNumber()) {
        throw wrong(key, "numbers");
      }
      numbers[i] = list.get(i).floatValue();
    }
    return numbers;
  }

  /// A list of `size` numbers.
  public float[] numbers(String key, int size) {
    float[] numbers = numbers(key);
    if (numbers.length != size) {
      throw wrong(key, size + " numbers");
    }
    return numbers;
  }

  /// A list of strings.
  public List<String> texts(String key) {
    var list = new ArrayList<String>();
    for (JsonNode v : list(key)) {
      if (!v.isTextual() || v.textValue().length() > MAX_TEXT) {
        throw wrong(key, "texts of at most %d characters".formatted(MAX_TEXT));
      }
      list.add(v.textValue());
    }
    return list;
  }

  private JsonNode list(String key) {
    JsonNode v = get(key);
    if (!v.isArray() || v.isEmpty() || v.size() > MAX_LIST) {
      throw wrong(key, "a list of 1 to " + MAX_LIST + " values");
    }
    return v;
  }

  public double number(String key, double absent) {
    if (isAbsent(key)) {
      return absent;
    }
    if (!get(key).isNumber()) {
      throw wrong(key, "a number");
    }
    return get(key).doubleValue();
  }

  public String text(String key, String absent) {
    if (isAbsent(key)) {
      return absent;
    }
    JsonNode v = get(key);
    if (!v.isTextual() || v.textValue().length() > MAX_TEXT) {
      throw wrong(key, "a text of at most %d characters".formatted(MAX_TEXT));
    }
    return v.textValue();
  }

  public boolean flag(String key, boolean absent) {
    if (isAbsent(key)) {
      return absent;
    }
    if (!get(key).isBoolean()) {
      throw wrong(key, "true or false");
    }
    return get(key).booleanValue();
  }

  public void require(String key, String needed, String absent) {
    String v = text(key, absent);
    if (!v.equals(needed)) {
      throw new CheckpointException(
          "%s: \"%s\" is \"%s\"; Gatun runs only \"%s\"".formatted(where, shown(key), v, needed));
    }
  }

  /// Checks that a number is the only one that Gatun runs.
  public void require(String key, double needed) {
    double v = number(key, needed);
    if (v != needed) {
      throw new CheckpointException(
          "%s: \"%s\" is %s; Gatun runs only %s".formatted(where, shown(key), v, needed));
    }
  }

  /// Checks that a flag, if it is there, is as Gatun runs it.
  public void requireFlag(String key, boolean needed) {
    if (flag(key, needed) != needed) {
      throw new CheckpointException(
          "%s: \"%s\" is %s; Gatun runs only %s".formatted(where, shown(key), !needed, needed));
    }
  }

  /// Checks that a key for what Gatun does not do is absent, null or false.
  public void refuse(String key) {
    JsonNode v = get(key);
    if (!isAbsent(key) && !(v.isBoolean() && !v.booleanValue())) {
      throw new CheckpointException(
          "%s: \"%s\" is %s; Gatun runs only models without it"
              .formatted(where, shown(key), UnknownKeys.shown(v)));
    }
  }

  /// Whether there is no such key, or it is null.
  public boolean isAbsent(String key) {
    return get(key).isMissingNode() || get(key).isNull();
  }

  private CheckpointException wrong(String key, String need) {
    JsonNode v = get(key);
    return new CheckpointException(
        "%s: \"%s\" is %s; need %s"
            .formatted(
                where, shown(key), v.isMissingNode() ? "missing" : UnknownKeys.shown(v), need));
  }
}
