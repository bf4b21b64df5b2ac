package io.gatun.models.engine;

import io.gatun.models.sampling.TokenLogprobs;
import java.util.List;

/// A whole answer, or what there is of it.
///
/// @param text the answer
/// @param thoughts what the model wrote down before it; empty if nothing
/// @param tokens all that were written, the one that ended it included
/// @param reason why it ended
/// @param usage what it took
/// @param promptLogprobs how likely each token of the prompt was after those before it, from the
///   second on; empty if the request did not ask for it
@SuppressWarnings("ArrayRecordComponent") // to be read, not to be compared
public record Result(
    String text,
    String thoughts,
    int[] tokens,
    Reason reason,
    Usage usage,
    List<TokenLogprobs> promptLogprobs) {
  /// Why an answer ended.
  public enum Reason {
    /// The model ended it, or its constraint leaves nothing to say.
    END,
    /// A stop text came.
    STOP,
    /// As many tokens as were asked for.
    LENGTH,
    /// The context is full.
    CONTEXT,
    /// It was cancelled, or the engine closed.
    CANCELLED,
    /// Its time was over.
    TIMEOUT
  }

  /// What an answer took.
  ///
  /// @param promptTokens tokens of the prompt
  /// @param cachedTokens those of them that the cache of prefixes held
  /// @param answerTokens tokens that were written
  /// @param preemptions how often it was put off for want of memory and read again
  /// @param queueSeconds from the request to its first step
  /// @param firstTokenSeconds from the request to its first token; 0 if there was none
  /// @param seconds from the request to its end
  /// @param drafted tokens that were guessed
  /// @param accepted guessed tokens that were right
  /// @param seed that of its random numbers
  public record Usage(
      int promptTokens,
      int cachedTokens,
      int answerTokens,
      int preemptions,
      double queueSeconds,
      double firstTokenSeconds,
      double seconds,
      int drafted,
      int accepted,
      long seed) {}
}
