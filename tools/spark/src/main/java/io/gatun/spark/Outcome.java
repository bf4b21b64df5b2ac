package io.gatun.spark;

/// What came of a row.
///
/// @param value null if there is an error
/// @param error null if there is none
/// @param read tokens
/// @param written tokens
record Outcome(Object value, String error, long read, long written) {
  static Outcome of(Object value) {
    return new Outcome(value, null, 0, 0);
  }

  static Outcome failed(String error) {
    return new Outcome(null, error, 0, 0);
  }

  /// What a row is to blame for; all else ends the task.
  static Outcome failed(RuntimeException e) {
    String message = e.getMessage();
    return failed(message == null ? e.toString() : message);
  }
}
