package io.gatun.models.sampling;

/// What a constraint on one text allows next: a grammar's state. Not for several threads at once.
public interface TokenMask {
  /// The tokens that may come next: token i is bit `i % 64` of word `i / 64`. Tokens beyond the
  /// last word are not allowed. Those that end an answer are allowed where the text may end.
  ///
  /// It is read before the next [#accept] and never written to.
  long[] allowed();

  /// Takes in the token that came.
  ///
  /// @throws IllegalArgumentException if it was not allowed
  void accept(int token);

  /// Whether the text is complete and nothing can follow but its end.
  boolean finished();
}
