package io.gatun.models.sampling;

import java.util.Arrays;
import java.util.function.IntPredicate;

/// DRY: the penalty of tokens that would go on with a run that was there before.
final class RepeatedRuns implements LogitsProcessor {
  /// Powers beyond this are not told apart.
  private static final double MOST = 1e30;

  /// Stands for a token that ends a run: it equals none.
  private static final int BREAK = -1;

  private final SamplingOptions.Dry dry;
  private final IntPredicate breaks;
  private final TokenHistory history;
  private int[] matches = {};
  private long[] found = {};

  /// @param breaks whether a token ends a run
  RepeatedRuns(SamplingOptions.Dry dry, IntPredicate breaks) {
    this.dry = dry;
    this.breaks = breaks;
    history = new TokenHistory(dry.lastN());
  }

  @Override
  public void accept(int token) {
    history.add(breaks.test(token) ? ~token : token);
  }

  /// The tokens from the end on, of which those that break a run equal none.
  private int token(int fromEnd) {
    int token = history.fromEnd(fromEnd);
    return token < 0 ? BREAK : token;
  }

  @Override
  public void apply(Candidates candidates) {
    int n = history.size();
    if (n < 2 || token(0) == BREAK) {
      return;
    }
    if (matches.length < n) {
      matches = new int[2 * n];
      found = new long[2 * n];
    }
    match(n);
    int count = 0;
    for (int i = 1; i < n; i++) {
      if (matches[i] >= dry.allowedLength()) {
        int next = history.fromEnd(i - 1);
        found[count++] = (long) (next < 0 ? ~next : next) << 32 | matches[i];
      }
    }
    Arrays.sort(found, 0, count);
    for (int i = 0; i < count; i++) {
      int token = (int) (found[i] >> 32);
      boolean longest = i + 1 == count || found[i + 1] >> 32 != token;
      if (longest && token < candidates.size()) {
        int length = (int) found[i];
        double power = Math.min(MOST, Math.pow(dry.base(), length - dry.allowedLength()));
        candidates.setLogit(token, (float) (candidates.logit(token) - dry.multiplier() * power));
      }
    }
  }

  /// How many tokens before each one, itself included, are those before the end: the Z function of
  /// the reversed text.
  private void match(int n) {
    int from = 0;
    int to = 0;
    for (int i = 1; i < n; i++) {
      int length = i < to ? Math.min(to - i, matches[i - from]) : 0;
      while (i + length < n && token(length) != BREAK && token(length) == token(i + length)) {
        length++;
      }
      matches[i] = length;
      if (i + length > to) {
        from = i;
        to = i + length;
      }
    }
  }
}
