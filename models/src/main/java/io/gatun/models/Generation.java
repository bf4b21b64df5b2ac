package io.gatun.models;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/// What was generated, and how fast.
///
/// @param text the answer
/// @param thoughts what the model wrote down before it answered; empty if nothing
/// @param ids its tokens, the one that ended it included
/// @param reason why it ended
/// @param promptTokens tokens that were read before the first was written; those that the session's
///   cache already held are not counted
/// @param prefillSeconds time for reading them
/// @param decodeSeconds time for all tokens after the first
/// @param seed that of the random numbers: with the same prompt and options it gives the same text
/// @param drafted tokens that were guessed ([GenerateOptions#drafter])
/// @param accepted those of them that were right
@SuppressWarnings("ArrayRecordComponent") // to be read, not to be compared
public record Generation(
    String text,
    String thoughts,
    int[] ids,
    Reason reason,
    int promptTokens,
    double prefillSeconds,
    double decodeSeconds,
    long seed,
    int drafted,
    int accepted) {
  private static final int SHOWN = 8;

  /// Why a generation ended.
  public enum Reason {
    /// The model ended it.
    END,
    /// A stop text came.
    STOP,
    /// As many tokens as were asked for.
    LENGTH,
    /// The context is full: a longer one, or [GenerateOptions#contextShift], lets it go on.
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

  /// The text, and in brackets how many tokens it is and which, why it ended and how fast it came.
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%s%n[%d tokens (%s), %s; read %d at %.1f tok/s, wrote at %.1f tok/s; seed %d]",
        text,
        ids.length,
        shownIds(),
        reason,
        promptTokens,
        prefillRate(),
        decodeRate(),
        seed);
  }

  /// `5 1024 17 9 33 2 7 11 ...`.
  private String shownIds() {
    String shown =
        Arrays.stream(ids)
            .limit(SHOWN)
            .mapToObj(Integer::toString)
            .collect(Collectors.joining(" "));
    return ids.length > SHOWN ? shown + " ..." : shown;
  }

  /// One that was interrupted before anything was written.
  static Generation cancelled(double prefillSeconds, long seed) {
    return new Generation("", "", new int[0], Reason.CANCELLED, 0, prefillSeconds, 0, seed, 0, 0);
  }
}
