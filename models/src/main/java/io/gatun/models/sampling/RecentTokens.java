package io.gatun.models.sampling;

import java.util.Arrays;

/// The penalties of tokens that are among the recent ones.
final class RecentTokens implements LogitsProcessor {
  private final SamplingOptions.Penalties penalties;
  private final TokenHistory history;
  private int[] sorted = {};

  RecentTokens(SamplingOptions.Penalties penalties) {
    this.penalties = penalties;
    history = new TokenHistory(penalties.lastN());
  }

  @Override
  public void accept(int token) {
    history.add(token);
  }

  @Override
  public void apply(Candidates candidates) {
    int n = history.size();
    if (sorted.length < n) {
      sorted = new int[2 * n];
    }
    history.copyTo(sorted);
    Arrays.sort(sorted, 0, n);
    for (int from = 0, to; from < n; from = to) {
      int token = sorted[from];
      to = from + 1;
      while (to < n && sorted[to] == token) {
        to++;
      }
      if (token >= 0 && token < candidates.size()) {
        float logit = candidates.logit(token);
        logit = logit > 0 ? logit / penalties.repeat() : logit * penalties.repeat();
        candidates.setLogit(
            token, logit - (to - from) * penalties.frequency() - penalties.presence());
      }
    }
  }
}
