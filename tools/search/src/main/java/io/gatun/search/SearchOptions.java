package io.gatun.search;

import io.gatun.models.Reranker;

/// How passages are looked for.
public final class SearchOptions {
  /// The ways to find passages.
  public enum Mode {
    /// By words (BM25) and by vectors, and the ranks joined.
    HYBRID,
    /// By words alone.
    WORDS,
    /// By vectors alone.
    VECTORS
  }

  int count = 5;
  int candidates = 50;
  Mode mode;
  Reranker reranker;

  SearchOptions() {}

  /// The most passages that are returned; by default 5.
  ///
  /// @throws IllegalArgumentException if it is not 1 to 10,000
  public SearchOptions count(int value) {
    count = between(value, "passages");
    return this;
  }

  /// How many are looked for in each way, and read by the reranker; by default 50, and never fewer
  /// than are returned.
  ///
  /// @throws IllegalArgumentException if it is not 1 to 10,000
  public SearchOptions candidates(int value) {
    candidates = between(value, "candidates");
    return this;
  }

  /// The way to find them; by default hybrid, or by words where the index has no vectors.
  public SearchOptions mode(Mode value) {
    mode = value;
    return this;
  }

  /// Sorts the candidates; null for none, as by default. It stays the caller's to close.
  public SearchOptions reranker(Reranker value) {
    reranker = value;
    return this;
  }

  private static int between(int value, String what) {
    if (value < 1 || value > 10_000) {
      throw new IllegalArgumentException("%d %s; need 1 to 10,000".formatted(value, what));
    }
    return value;
  }
}
