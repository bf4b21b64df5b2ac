package io.gatun.search;

import io.gatun.models.TextEmbedder;
import java.util.List;
import java.util.Objects;

/// What makes vectors of texts, of which those of similar meaning point in similar directions.
///
/// Any thread may use it.
public interface Embedder {
  /// Where the model is found again: a path, or a name of the hub's. An index keeps it, for who
  /// searches in it later.
  String name();

  /// The length of a vector.
  int dimension();

  /// The most tokens of a document's text, as [#tokens] counts them.
  int maxTokens();

  /// The number of tokens of a text.
  int tokens(String text);

  /// The vectors of texts that are to be found, in their order.
  List<float[]> documents(List<String> texts);

  /// The vector of what is looked for.
  float[] query(String text);

  /// A model, which stays the caller's to close. Its prompts named `query` and `document` (or
  /// `passage`) are used where it has them.
  ///
  /// @param name where it is found again, such as its path
  static Embedder of(TextEmbedder model, String name) {
    Objects.requireNonNull(name, "the embedder's name is null");
    return new ModelEmbedder(model, name);
  }
}
