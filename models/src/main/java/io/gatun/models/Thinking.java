package io.gatun.models;

/// What becomes of a thought that a model writes down before its answer.
public enum Thinking {
  /// It is shown between `<think>` and `</think>`, whatever marks the model itself uses.
  SHOW,
  /// It is left out. It takes its time all the same.
  HIDE
}
