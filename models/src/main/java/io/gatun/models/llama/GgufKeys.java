package io.gatun.models.llama;

import io.gatun.loaders.CheckpointException;
import java.util.Map;

/// Reads typed values of one architecture from a GGUF file's metadata.
record GgufKeys(Map<String, Object> metadata, String architecture, String where) {
  int integer(String key) {
    return Math.toIntExact((long) number(key));
  }

  int integer(String key, int absent) {
    return metadata.containsKey(full(key)) ? integer(key) : absent;
  }

  double number(String key, double absent) {
    return metadata.containsKey(full(key)) ? number(key) : absent;
  }

  private double number(String key) {
    Object v = metadata.get(full(key));
    if (!(v instanceof Number n)) {
      throw new CheckpointException(
          "%s: metadata %s is %s; need one number"
              .formatted(where, full(key), v == null ? "missing" : v));
    }
    return n.doubleValue();
  }

  private String full(String key) {
    return architecture + "." + key;
  }
}
