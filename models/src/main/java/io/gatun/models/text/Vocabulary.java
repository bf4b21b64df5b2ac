package io.gatun.models.text;

import java.util.Arrays;
import java.util.Objects;
import java.util.SplittableRandom;

/// Pieces by id and ids by piece; a piece is found by a range of a text without making a string.
///
/// A piece's hash is a polynomial of its characters, as `String.hashCode` is, but with 64 bits and
/// a factor drawn anew for each run: no file can be made of pieces that all collide.
final class Vocabulary {
  /// SentencePiece's visible space.
  static final char SPACE = '\u2581';

  private static final long FACTOR = new SplittableRandom().nextLong() | 1;

  private final String[] pieces;

  /// Open addressing: a piece's hash in the upper half, its id and one more in the lower, 0 if
  /// free.
  private final long[] table;

  private final int longest;

  /// `pieces[id]` is null where no token has that id; of two equal pieces the higher id is found.
  Vocabulary(String[] pieces) {
    this.pieces = pieces;
    int count = (int) Arrays.stream(pieces).filter(Objects::nonNull).count();
    table = new long[Integer.highestOneBit(Math.max(8, count)) << 2];
    int max = 0;
    for (int id = 0; id < pieces.length; id++) {
      String piece = pieces[id];
      if (piece != null) {
        max = Math.max(max, piece.length());
        long hash = hash(0, piece, 0, piece.length());
        int slot = slot(hash);
        while (table[slot] != 0
            && !(isHash(table[slot], hash) && pieces[(int) table[slot] - 1].equals(piece))) {
          slot = slot + 1 & table.length - 1;
        }
        table[slot] = (hash & 0xFFFFFFFF_00000000L) | id + 1;
      }
    }
    longest = max;
  }

  int size() {
    return pieces.length;
  }

  /// The longest piece's length in chars.
  int longest() {
    return longest;
  }

  /// The piece of that id, or null.
  String piece(int id) {
    return id >= 0 && id < pieces.length ? pieces[id] : null;
  }

  /// The length in chars of the piece of that id, 0 if there is none.
  int length(int id) {
    String piece = piece(id);
    return piece == null ? 0 : piece.length();
  }

  /// The id of that piece, or -1.
  int find(String piece) {
    return find(piece, 0, piece.length());
  }

  /// The id of the piece that `text` has at `from` to `to`, or -1.
  int find(String text, int from, int to) {
    if (to - from > longest) {
      return -1;
    }
    return find(text, from, to, hash(0, text, from, to));
  }

  /// The hash of a text that is one character longer than that of `hash`; the empty text's is 0.
  static long hash(long hash, char next) {
    return hash * FACTOR + next + 1;
  }

  private static long hash(long hash, String text, int from, int to) {
    for (int i = from; i < to; i++) {
      hash = hash(hash, text.charAt(i));
    }
    return hash;
  }

  /// As above for a caller that has the range's hash.
  int find(String text, int from, int to, long hash) {
    int length = to - from;
    for (int slot = slot(hash); table[slot] != 0; slot = slot + 1 & table.length - 1) {
      if (isHash(table[slot], hash)) {
        int id = (int) table[slot] - 1;
        if (pieces[id].length() == length && text.startsWith(pieces[id], from)) {
          return id;
        }
      }
    }
    return -1;
  }

  /// The id of the piece that `left` and `right` are together, or -1.
  int findJoined(String left, String right) {
    int length = left.length() + right.length();
    if (length > longest) {
      return -1;
    }
    long hash = hash(hash(0, left, 0, left.length()), right, 0, right.length());
    for (int slot = slot(hash); table[slot] != 0; slot = slot + 1 & table.length - 1) {
      if (isHash(table[slot], hash)) {
        int id = (int) table[slot] - 1;
        if (pieces[id].length() == length
            && pieces[id].startsWith(left)
            && pieces[id].endsWith(right)) {
          return id;
        }
      }
    }
    return -1;
  }

  /// Whether no piece has a visible space after another character, so that cutting a text before
  /// each run of visible spaces cannot cut a piece.
  boolean spacesOnlyLead() {
    if (find("\u2581") < 0) {
      return false;
    }
    for (String piece : pieces) {
      int last = piece == null ? -1 : piece.lastIndexOf(SPACE);
      for (int i = 0; i < last; i++) {
        if (piece.charAt(i) != SPACE) {
          return false;
        }
      }
    }
    return true;
  }

  /// The ids of the byte tokens `<0x00>` to `<0xFF>`, -1 where there is none.
  int[] byteIds() {
    int[] ids = new int[256];
    for (int b = 0; b < 256; b++) {
      ids[b] = find("<0x%02X>".formatted(b));
    }
    return ids;
  }

  private static boolean isHash(long entry, long hash) {
    return (entry ^ hash) >>> 32 == 0;
  }

  private int slot(long hash) {
    // The polynomial's low bits depend on the low bits of the characters alone, its high bits on
    // all.
    return (int) (hash * 0x9E3779B97F4A7C15L >>> 32) & table.length - 1;
  }
}
