package io.gatun.models;

/// What was generated, and how fast.
///
/// @param text the answer
/// @param ids its tokens, the one that ended it included
/// @param reason why it ended
/// @param promptTokens tokens that were read before the first was written; those that the session's
///   cache already held are not counted
/// @param prefillSeconds time for reading them
/// @param decodeSeconds time for all tokens after the first
@SuppressWarnings("ArrayRecordComponent") // to be read, not to be compared
public record Generation(
    String text,
    int[] ids,
    Reason reason,
    int promptTokens,
    double prefillSeconds,
    double decodeSeconds) {
  /// Why a generation ended.
  public enum Reason {
    /// The model ended it.
    END,
    /// A stop text came.
    STOP,
    /// As many tokens as were asked for.
    LENGTH,
    /// The context is full.
    CONTEXT,
    /// The thread was interrupted, which it still is.
    CANCELLED
  }

  /// Prompt tokens per second.
  public double prefillRate() {
    return promptTokens == 0 ? 0 : promptTokens / prefillSeconds;
  }

  /// Tokens per second after the first.
  public double decodeRate() {
    return ids.length < 2 ? 0 : (ids.length - 1) / decodeSeconds;
  }

  /// One that was interrupted before anything was written.
  static Generation cancelled(double prefillSeconds) {
    return new Generation("", new int[0], Reason.CANCELLED, 0, prefillSeconds, 0);
  }
}
