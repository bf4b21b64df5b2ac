package io.gatun.models.engine;

import io.gatun.models.engine.Result.Reason;
import java.util.EnumMap;
import java.util.Map;

/// What an engine does just now, and did since it was opened.
///
/// @param running answers that are being written or whose prompt is being read
/// @param waiting requests that have not begun, or were put off
/// @param paused answers without a place, whose readers are too slow
/// @param memory bytes that may be used
/// @param cacheBytes of these, those of running answers and of the cache of prefixes
/// @param prefixBytes of these, those that the cache of prefixes has, whether in use or not
/// @param promptTokens tokens of prompts that were read, those that had to be read again included
/// @param cachedTokens tokens of prompts that the cache held
/// @param answerTokens tokens that were written
/// @param drafted tokens that were guessed
/// @param accepted guessed tokens that were right
/// @param steps that were taken
/// @param stepSeconds the time that they took, with what comes between them
/// @param modelSeconds of these, the time in which the model computed
/// @param preemptions how often an answer was put off
/// @param ended how many answers ended, and why
/// @param failed how many ended with an error
/// @param firstToken from requests to their first tokens
/// @param tokenGap between two tokens of an answer
public record Stats(
    int running,
    int waiting,
    int paused,
    long memory,
    long cacheBytes,
    long prefixBytes,
    long promptTokens,
    long cachedTokens,
    long answerTokens,
    long drafted,
    long accepted,
    long steps,
    double stepSeconds,
    double modelSeconds,
    long preemptions,
    Map<Reason, Long> ended,
    long failed,
    Histogram firstToken,
    Histogram tokenGap) {

  /// The counts, as they grow. For one thread at a time: those who choose tokens at once hold its
  /// lock.
  static final class Counts {
    long promptTokens;
    long cachedTokens;
    long answerTokens;
    long drafted;
    long accepted;
    long steps;
    double stepSeconds;
    double modelSeconds;
    long preemptions;
    long failed;
    final EnumMap<Reason, Long> ended = new EnumMap<>(Reason.class);
    final Histogram.Filling firstToken = new Histogram.Filling();
    final Histogram.Filling tokenGap = new Histogram.Filling();

    Stats snapshot(int running, int waiting, int paused, Memory memory) {
      return new Stats(
          running,
          waiting,
          paused,
          memory.budget(),
          memory.used(),
          memory.prefixBytes(),
          promptTokens,
          cachedTokens,
          answerTokens,
          drafted,
          accepted,
          steps,
          stepSeconds,
          modelSeconds,
          preemptions,
          Map.copyOf(ended),
          failed,
          firstToken.snapshot(),
          tokenGap.snapshot());
    }
  }
}
