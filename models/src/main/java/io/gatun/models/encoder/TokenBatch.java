package io.gatun.models.encoder;

import java.util.Arrays;
import java.util.List;

/// The tokens of texts, one text after the other: none is padded.
public final class TokenBatch {
  /// Numbers of tokens are rounded to a multiple of this, and to one of as many for each doubling.
  private static final int LEAST_STEP = 8;

  private static final int STEPS = 16;

  private final int[] ids;
  private final int[] types;
  private final int[] positions;
  private final int[] starts;
  private final int texts;

  private TokenBatch(int[] ids, int[] types, int[] positions, int[] starts, int texts) {
    this.ids = ids;
    this.types = types;
    this.positions = positions;
    this.starts = starts;
    this.texts = texts;
  }

  /// A batch of texts; neighbours of equal length are computed a little faster.
  ///
  /// @param ids the tokens of each text, at least one
  /// @param types the type of each token; null for all 0
  /// @throws IllegalArgumentException if a text has no tokens, or not as many types
  public static TokenBatch of(List<int[]> ids, List<int[]> types) {
    var starts = new int[ids.size() + 1];
    for (int i = 0; i < ids.size(); i++) {
      int length = ids.get(i).length;
      if (length == 0 || (types != null && types.get(i).length != length)) {
        throw new IllegalArgumentException(
            "text %d has %d tokens; need at least one, and a type for each".formatted(i, length));
      }
      starts[i + 1] = Math.addExact(starts[i], length);
    }
    int all = starts[ids.size()];
    var flatIds = new int[all];
    var flatTypes = new int[all];
    var positions = new int[all];
    for (int i = 0; i < ids.size(); i++) {
      int length = ids.get(i).length;
      System.arraycopy(ids.get(i), 0, flatIds, starts[i], length);
      if (types != null) {
        System.arraycopy(types.get(i), 0, flatTypes, starts[i], length);
      }
      for (int t = 0; t < length; t++) {
        positions[starts[i] + t] = t;
      }
    }
    return new TokenBatch(flatIds, flatTypes, positions, starts, ids.size());
  }

  /// The same with some tokens after all texts, whose results mean nothing. oneDNN compiles a
  /// product for each number of rows, which for a short text takes as long as reading it: so there
  /// are few numbers.
  TokenBatch rounded() {
    int step = Math.max(LEAST_STEP, Integer.highestOneBit(tokens()) / STEPS);
    int all = Math.ceilDiv(tokens(), step) * step;
    if (all == tokens()) {
      return this;
    }
    int[] rest = Arrays.copyOf(starts, starts.length + 1);
    rest[starts.length] = all;
    return new TokenBatch(
        Arrays.copyOf(ids, all),
        Arrays.copyOf(types, all),
        Arrays.copyOf(positions, all),
        rest,
        texts);
  }

  /// The number of texts.
  public int texts() {
    return texts;
  }

  /// The number of tokens of all texts.
  public int tokens() {
    return ids.length;
  }

  /// The row of a text's first token.
  public int start(int text) {
    return starts[text];
  }

  /// The number of a text's tokens.
  public int length(int text) {
    return starts[text + 1] - starts[text];
  }

  int[] ids() {
    return ids;
  }

  int[] types() {
    return types;
  }

  /// Each token's place in its text, from `first` on.
  int[] positions(int first) {
    return Arrays.stream(positions).map(p -> p + first).toArray();
  }

  /// The length of the longest text.
  int longest() {
    int longest = 0;
    for (int i = 0; i < texts(); i++) {
      longest = Math.max(longest, length(i));
    }
    return longest;
  }

  /// The row of each text's first token, that of what is there to round, and the number of all
  /// tokens at the end.
  int[] starts() {
    return starts;
  }
}
