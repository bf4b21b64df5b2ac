package io.gatun.models.sampling;

import java.util.Arrays;

/// Guesses that a text goes on as it did when its last tokens were there before (prompt lookup
/// decoding, Saxena 2023): of use where an answer repeats its prompt, as in summaries and changed
/// code.
public final class PromptLookup implements Drafter {
  /// Tokens at the end that are looked for, at the most and at the least.
  private static final int LONGEST = 8;

  private static final int SHORTEST = 2;

  /// Looks up what is drafted for; it keeps nothing.
  public PromptLookup() {}

  @Override
  public int[] draft(int[] tokens, int length, int most) {
    int best = 0;
    int from = 0;
    for (int end = length - 1; end > 0 && best < LONGEST; end--) {
      int alike = 0;
      while (alike < LONGEST
          && alike < end
          && tokens[end - 1 - alike] == tokens[length - 1 - alike]) {
        alike++;
      }
      if (alike > best) {
        best = alike;
        from = end;
      }
    }
    return best < SHORTEST
        ? new int[0]
        : Arrays.copyOfRange(tokens, from, Math.min(length, from + most));
  }
}
