package io.gatun.models.engine;

/// A request is refused because its prompt is too long. Nothing is ever cut.
public final class ContextExceededException extends IllegalArgumentException {
  private static final long serialVersionUID = 1;

  private final int tokens;
  private final int limit;

  ContextExceededException(int tokens, int limit) {
    super(
        "the prompt has %d tokens; the context holds %d, one of the answer included. Shorten it, or raise the context or the memory of the engine"
            .formatted(tokens, limit));
    this.tokens = tokens;
    this.limit = limit;
  }

  /// The tokens of the prompt.
  public int tokens() {
    return tokens;
  }

  /// The most tokens of prompt and answer together.
  public int limit() {
    return limit;
  }
}
