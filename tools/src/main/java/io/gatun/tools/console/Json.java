package io.gatun.tools.console;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;

/// What `--json` prints.
public final class Json {
  private Json() {}

  /// The same in one line.
  public static String line(Object value) {
    return write(JsonMapper.builder().build(), value);
  }

  /// Maps, lists, strings and numbers as indented JSON.
  public static String of(Object value) {
    return write(JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build(), value);
  }

  private static String write(JsonMapper mapper, Object value) {
    try {
      return mapper.writeValueAsString(value);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
