package io.gatun.models.sampling;

import java.util.Arrays;

/// The last tokens of a text.
final class TokenHistory {
  private final int most;
  private int[] tokens = new int[64];
  private int from;
  private int to;

  /// @param most tokens that are of interest; [SamplingOptions#ALL] for all
  TokenHistory(int most) {
    this.most = most;
  }

  void add(int token) {
    if (to == tokens.length) {
      if (from >= tokens.length / 2) {
        System.arraycopy(tokens, from, tokens, 0, to - from);
        to -= from;
        from = 0;
      } else {
        tokens = Arrays.copyOf(tokens, 2 * to);
      }
    }
    tokens[to++] = token;
    if (most >= 0 && size() > most) {
      from = to - most;
    }
  }

  int size() {
    return to - from;
  }

  /// The `i`th token from the end, the last one being 0.
  int fromEnd(int i) {
    return tokens[to - 1 - i];
  }

  /// Copies all of them, in order.
  void copyTo(int[] target) {
    System.arraycopy(tokens, from, target, 0, size());
  }
}
