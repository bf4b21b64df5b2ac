package io.gatun.models.constraint.expr;

import java.util.ArrayList;
import java.util.List;

/// The byte sequences of UTF-8 that spell a range of code points.
public final class Utf8 {
  private static final int[] LAST_OF_LENGTH = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};

  private Utf8() {}

  /// What spells these: of each sequence the lowest and highest byte at each place; any combination
  /// of bytes between them is a code point of the set, and each has one.
  public static List<int[]> sequences(CodePoints set) {
    var found = new ArrayList<int[]>();
    for (int i = 0; i < set.count(); i++) {
      int first = set.first(i);
      for (int last : LAST_OF_LENGTH) {
        if (first <= last && first <= set.last(i)) {
          split(first, Math.min(last, set.last(i)), found);
          first = last + 1;
        }
      }
    }
    return found;
  }

  /// All code points of a range have sequences of the same length. Where the bytes after one place
  /// do not run through all that is possible, the range is split there.
  private static void split(int first, int last, List<int[]> found) {
    for (int bits = 6; bits <= 18 && last > 0x7F; bits += 6) {
      int low = (1 << bits) - 1;
      if (first >> bits != last >> bits) {
        if ((first & low) != 0) {
          split(first, first | low, found);
          split((first | low) + 1, last, found);
          return;
        }
        if ((last & low) != low) {
          split(first, (last & ~low) - 1, found);
          split(last & ~low, last, found);
          return;
        }
      }
    }
    int[] from = bytes(first);
    int[] to = bytes(last);
    var sequence = new int[2 * from.length];
    for (int i = 0; i < from.length; i++) {
      sequence[2 * i] = from[i];
      sequence[2 * i + 1] = to[i];
    }
    found.add(sequence);
  }

  private static int[] bytes(int c) {
    if (c < 0x80) {
      return new int[] {c};
    }
    if (c < 0x800) {
      return new int[] {0xC0 | c >> 6, 0x80 | c & 0x3F};
    }
    if (c < 0x10000) {
      return new int[] {0xE0 | c >> 12, 0x80 | c >> 6 & 0x3F, 0x80 | c & 0x3F};
    }
    return new int[] {0xF0 | c >> 18, 0x80 | c >> 12 & 0x3F, 0x80 | c >> 6 & 0x3F, 0x80 | c & 0x3F};
  }
}
