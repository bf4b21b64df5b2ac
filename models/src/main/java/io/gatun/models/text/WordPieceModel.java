package io.gatun.models.text;

/// WordPiece as BERT uses it: from the left the longest piece that the vocabulary has; a word that
/// cannot be put together, or is too long, is the unknown token (Devlin et al. 2018).
///
/// @param continuing what begins a piece that does not begin a word: `##`
/// @param longest the characters (code points) of the longest word that is looked at
record WordPieceModel(Vocabulary vocabulary, String continuing, int unkId, int longest)
    implements Model {
  @Override
  public void encode(String word, Ids out) {
    int[] pieces = word.codePointCount(0, word.length()) > longest ? null : pieces(word);
    if (pieces == null) {
      out.add(unkId);
    } else {
      out.addAll(pieces);
    }
  }

  /// The pieces of a word, or null if there are none.
  private int[] pieces(String word) {
    var ids = new Ids();
    for (int from = 0; from < word.length(); ) {
      String rest = from == 0 ? word : continuing + word.substring(from);
      int mark = from == 0 ? 0 : continuing.length();
      int end = Math.min(rest.length(), vocabulary.longest());
      int id = -1;
      while (end > mark && (id = vocabulary.find(rest, 0, end)) < 0) {
        end--;
      }
      if (id < 0) {
        return null;
      }
      ids.add(id);
      from += end - mark;
    }
    return ids.toArray();
  }
}
