package io.gatun.models.text;

/// Pieces by id and ids by piece; a piece is found by a range of a text without making a string.
final class Vocabulary {
  /// SentencePiece's visible space.
  static final char SPACE = '\u2581';

  private final String[] pieces;

  /// Open addressing: a piece's hash in the upper half, its id and one more in the lower, 0 if
  /// free.
  private final long[] table;

  private final int longest;

  /// `pieces[id]` is null where no token has that id; of two equal pieces the higher id is found.
  Vocabulary(String[] pieces) {
    this.pieces = pieces;
    table = new long[Integer.highestOneBit(Math.max(8, pieces.length)) << 2];
    int max = 0;
    for (int id = 0; id < pieces.length; id++) {
      String piece = pieces[id];
      if (piece != null) {
        max = Math.max(max, piece.length());
        int hash = piece.hashCode();
        int slot = slot(hash);
        while (table[slot] != 0
            && !(isHash(table[slot], hash) && pieces[(int) table[slot] - 1].equals(piece))) {
          slot = slot + 1 & table.length - 1;
        }
        table[slot] = (long) hash << 32 | id + 1;
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

  /// The id of that piece, or -1.
  int find(String piece) {
    return find(piece, 0, piece.length(), piece.hashCode());
  }

  /// The id of the piece that `text` has at `from` to `to`, or -1.
  int find(String text, int from, int to) {
    if (to - from > longest) {
      return -1;
    }
    int hash = 0;
    for (int i = from; i < to; i++) {
      hash = 31 * hash + text.charAt(i);
    }
    return find(text, from, to, hash);
  }

  /// As above for a caller that has the range's hash, which is computed as `String.hashCode` is.
  int find(String text, int from, int to, int hash) {
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
    int hash = left.hashCode();
    for (int i = 0; i < right.length(); i++) {
      hash = 31 * hash + right.charAt(i);
    }
    int length = left.length() + right.length();
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

  private static boolean isHash(long entry, int hash) {
    return (int) (entry >> 32) == hash;
  }

  private int slot(int hash) {
    int spread = hash * 0x9E3779B9;
    return (spread ^ spread >>> 15) & table.length - 1;
  }
}
