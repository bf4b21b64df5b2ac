package io.gatun.search;

import java.util.function.Consumer;

/// How an index is made.
public final class IndexOptions {
  static final int CHUNK_TOKENS = 256;

  Integer chunkTokens;
  Integer overlapTokens;
  int maxCharacters = 16 << 20;
  Consumer<IndexReport> progress = report -> {};

  IndexOptions() {}

  /// The most tokens of a chunk; by default 256, or fewer where the embedder reads fewer. An index
  /// keeps it.
  ///
  /// @throws IllegalArgumentException if it is below 16
  public IndexOptions chunkTokens(int value) {
    if (value < 16) {
      throw new IllegalArgumentException("chunks of %d tokens; need 16 or more".formatted(value));
    }
    chunkTokens = value;
    return this;
  }

  /// The most tokens that a chunk shares with the one before it; by default an eighth of a chunk.
  /// An index keeps it.
  ///
  /// @throws IllegalArgumentException if it is below 0
  public IndexOptions overlapTokens(int value) {
    if (value < 0) {
      throw new IllegalArgumentException("%d tokens overlap; need 0 or more".formatted(value));
    }
    overlapTokens = value;
    return this;
  }

  /// The most characters of a document, by default 16 million: all its chunks are held in memory
  /// until they are written together.
  ///
  /// @throws IllegalArgumentException if it is below 1
  public IndexOptions maxCharacters(int value) {
    if (value < 1) {
      throw new IllegalArgumentException("%d characters; need 1 or more".formatted(value));
    }
    maxCharacters = value;
    return this;
  }

  /// Told how far it has come, after each lot of documents.
  public IndexOptions progress(Consumer<IndexReport> value) {
    progress = value;
    return this;
  }
}
