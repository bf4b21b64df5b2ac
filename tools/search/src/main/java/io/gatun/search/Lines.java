package io.gatun.search;

/// The lines on which the characters of a text stand, asked for in their order or nearly so.
final class Lines {
  private final String text;
  private int place;
  private int line = 1;

  Lines(String text) {
    this.text = text;
  }

  /// The line of a character, from 1.
  int at(int target) {
    for (; place < target; place++) {
      line += text.charAt(place) == '\n' ? 1 : 0;
    }
    for (; place > target; place--) {
      line -= text.charAt(place - 1) == '\n' ? 1 : 0;
    }
    return line;
  }
}
