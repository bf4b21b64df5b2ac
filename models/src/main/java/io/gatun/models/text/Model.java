package io.gatun.models.text;

/// How one word, as the pre-tokenizer cut it, becomes ids.
sealed interface Model permits BpeModel, UnigramModel, WordPieceModel {
  /// Appends the ids of `word`, which is not empty, to `out`.
  void encode(String word, Ids out);
}
