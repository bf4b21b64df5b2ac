package io.gatun.models.template;

import java.util.Arrays;
import java.util.BitSet;

/// A string that remembers which of its characters come from data (a message, a tool's definition)
/// and which are the template's own. Compared by its characters alone.
///
/// Python counts code points, Java UTF-16 units: positions given to [#slice] and [#at] are code
/// points, all others are Java's.
final class Text implements Comparable<Text> {
  static final Text EMPTY = own("");
  private static final int[] ALL_OWN = {};
  private static final int[] ALL_DATA = {0};

  private final String chars;

  /// Where the origin changes, beginning with the template's own: `{}` is all own, `{0}` all data,
  /// `{3, 5}` own but for the two characters from 3 on.
  private final int[] changes;

  private int points = -1;

  Text(String chars, int[] changes) {
    this.chars = chars;
    this.changes = changes;
  }

  /// Characters that the template wrote.
  static Text own(String chars) {
    return new Text(chars, ALL_OWN);
  }

  /// Characters that came from outside.
  static Text data(String chars) {
    return new Text(chars, ALL_DATA);
  }

  String chars() {
    return chars;
  }

  int[] changes() {
    return changes;
  }

  boolean isEmpty() {
    return chars.isEmpty();
  }

  /// The number of code points.
  int length() {
    if (points < 0) {
      points = chars.codePointCount(0, chars.length());
    }
    return points;
  }

  /// Where a code point begins.
  int offset(int point) {
    return length() == chars.length() ? point : chars.offsetByCodePoints(0, point);
  }

  /// The number of code points before an offset; -1 stays as it is.
  long point(int offset) {
    return offset < 0 || length() == chars.length() ? offset : chars.codePointCount(0, offset);
  }

  /// The code points from `start` to `end`.
  Text slice(int start, int end) {
    int from = offset(start);
    return sub(
        from, length() == chars.length() ? end : chars.offsetByCodePoints(from, end - start));
  }

  /// One code point.
  Text at(int point) {
    return slice(point, point + 1);
  }

  /// The characters from `start` to `end`, as `String.substring` takes them.
  Text sub(int start, int end) {
    if (start == 0 && end == chars.length()) {
      return this;
    }
    String part = chars.substring(start, end);
    int first = after(start); // the changes before this one lie at or before the start
    boolean data = first % 2 == 1;
    int last = first;
    while (last < changes.length && changes[last] < end) {
      last++;
    }
    var kept = new int[last - first + (data ? 1 : 0)];
    for (int i = first; i < last; i++) {
      kept[i - first + (data ? 1 : 0)] = changes[i] - start;
    }
    return new Text(part, kept);
  }

  Text sub(int start) {
    return sub(start, chars.length());
  }

  /// Whether the character at the offset came from outside.
  boolean isData(int offset) {
    return after(offset) % 2 == 1;
  }

  /// The number of changes at or before the offset.
  private int after(int offset) {
    int found = Arrays.binarySearch(changes, offset);
    return found < 0 ? -found - 1 : found + 1;
  }

  /// Where the run of characters of one origin ends that begins at the offset.
  int runEnd(int offset) {
    int next = after(offset);
    return next < changes.length ? Math.min(changes[next], chars.length()) : chars.length();
  }

  /// The characters that came from outside.
  BitSet data() {
    var set = new BitSet(chars.length());
    for (int i = 0; i < changes.length; i += 2) {
      int end = i + 1 < changes.length ? changes[i + 1] : chars.length();
      set.set(Math.min(changes[i], chars.length()), Math.min(end, chars.length()));
    }
    return set;
  }

  /// In the order of code points, as Python compares.
  @Override
  public int compareTo(Text other) {
    int n = Math.min(chars.length(), other.chars.length());
    int i = 0;
    while (i < n && chars.charAt(i) == other.chars.charAt(i)) {
      i++;
    }
    if (i == n) {
      return Integer.compare(chars.length(), other.chars.length());
    }
    char a = chars.charAt(i);
    char b = other.chars.charAt(i);
    // Surrogates stand for code points above all other characters.
    return Character.isSurrogate(a) == Character.isSurrogate(b)
        ? (a < b ? -1 : 1)
        : Character.isSurrogate(a) ? 1 : -1;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Text text && chars.equals(text.chars);
  }

  @Override
  public int hashCode() {
    return chars.hashCode();
  }

  @Override
  public String toString() {
    return chars;
  }
}
