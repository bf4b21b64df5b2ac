package io.gatun.models.sampling;

/// Guesses how a text goes on, for speculative decoding: the model reads the guess together with
/// the last token, in one step, and what it would not have written itself is dropped (Leviathan et
/// al. 2023). Each token is drawn from the model's own probabilities as ever, and the guess stands
/// as far as it is what was drawn: so the answer is distributed as without guesses, and for the
/// same seed it is the same.
@FunctionalInterface
public interface Drafter extends AutoCloseable {
  /// The tokens that may follow, or none.
  ///
  /// @param tokens the text, of which the first `length` count
  /// @param most that are of use
  int[] draft(int[] tokens, int length, int most);

  /// Guesses as this one does, or as the other where this one has no guess.
  ///
  /// @param other null for nobody
  default Drafter or(Drafter other) {
    return other == null
        ? this
        : (tokens, length, most) -> {
          int[] guess = draft(tokens, length, most);
          return guess.length > 0 ? guess : other.draft(tokens, length, most);
        };
  }

  /// Gives back what it holds, if that is anything.
  @Override
  default void close() {}
}
