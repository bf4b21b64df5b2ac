package io.gatun.search;

/// How an answer cache gives answers again.
public final class CacheOptions {
  double wrongHits;

  CacheOptions() {}

  /// Gives answers to similar questions, too, of which at most so large a share is expected to be
  /// wrong; by default 0: only to the same question, character by character.
  ///
  /// @throws IllegalArgumentException if it is not in [0, 0.5]
  public CacheOptions wrongHits(double value) {
    if (!(value >= 0 && value <= 0.5)) {
      throw new IllegalArgumentException(
          "%s wrong answers are allowed; need 0 (the same questions only) to 0.5".formatted(value));
    }
    wrongHits = value;
    return this;
  }
}
