package io.gatun.search;

/// A part of a text: from the character at `start` to before the one at `end`.
record Chunk(int start, int end) {
  String of(String text) {
    return text.substring(start, end);
  }
}
