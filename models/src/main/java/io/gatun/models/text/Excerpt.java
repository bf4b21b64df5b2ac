package io.gatun.models.text;

/// What a message shows of a file's contents, which may be megabytes.
final class Excerpt {
  private static final int LONGEST = 200;

  private Excerpt() {}

  /// The beginning of what the value prints as.
  static String of(Object value) {
    String text = String.valueOf(value);
    return text.length() > LONGEST ? text.substring(0, LONGEST) + "..." : text;
  }
}
