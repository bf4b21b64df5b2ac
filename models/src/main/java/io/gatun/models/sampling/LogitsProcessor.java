package io.gatun.models.sampling;

/// One link of the chain by which a [Sampler] chooses: it changes logits, or rules tokens out. It
/// belongs to one text.
@FunctionalInterface
public interface LogitsProcessor {
  /// Changes what may be chosen for the next token.
  void apply(Candidates candidates);

  /// Takes in a token of the text: of the prompt, or the one that was chosen.
  default void accept(int token) {}
}
