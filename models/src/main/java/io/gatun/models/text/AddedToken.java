package io.gatun.models.text;

import java.util.function.UnaryOperator;

/// A token that is found in the text before anything else is done to it.
///
/// @param match what is looked for: the content, normalized if the text is
/// @param special a mark of the model's (BOS, a role), not text: hidden when decoding, and found in
///   the text only if the caller wants that
/// @param singleWord found only where no letter, digit or underscore touches it
/// @param lstrip takes the white space before it along
/// @param rstrip takes the white space after it along
/// @param normalized found in the normalized text instead of the raw text
record AddedToken(
    int id,
    String content,
    String match,
    boolean special,
    boolean singleWord,
    boolean lstrip,
    boolean rstrip,
    boolean normalized) {

  /// What a text may be expected to hold: to look for longer ones would take time at every
  /// character.
  static final int LONGEST = 512;

  /// One that is found in the raw text just as it is written.
  static AddedToken plain(int id, String content, boolean special) {
    return new AddedToken(id, content, content, special, false, false, false, false);
  }

  /// Whether this token is found wherever `other`, which looks for the same text, is.
  boolean isFoundWhere(AddedToken other) {
    return special == other.special && singleWord == other.singleWord;
  }

  /// This token, looked for in text that went through `normalizer` if it is to be.
  AddedToken normalizedBy(UnaryOperator<String> normalizer) {
    return normalized
        ? new AddedToken(
            id, content, normalizer.apply(content), special, singleWord, lstrip, rstrip, true)
        : this;
  }
}
