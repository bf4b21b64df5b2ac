package io.gatun.models.text;

import java.util.Arrays;

/// SentencePiece's unigram model: the segmentation whose pieces' scores (log probabilities) sum to
/// the most, found by Viterbi's algorithm (Kudo 2018, arXiv:1804.10959).
final class UnigramModel implements Model {
  /// How much worse than the worst piece an unknown character is, as in SentencePiece.
  private static final float UNKNOWN_PENALTY = 10;

  private final Vocabulary vocabulary;
  private final float[] scores;
  private final UnknownRule unknown;
  private final float unknownScore;

  /// `scores[id]` is NaN for tokens that text never becomes (control, bytes, unknown, unused).
  UnigramModel(Vocabulary vocabulary, float[] scores, UnknownRule unknown) {
    this.vocabulary = vocabulary;
    this.scores = scores;
    this.unknown = unknown;
    float worst = Float.POSITIVE_INFINITY;
    for (float score : scores) {
      worst = Float.isNaN(score) ? worst : Math.min(worst, score);
    }
    unknownScore = worst - UNKNOWN_PENALTY;
  }

  @Override
  public void encode(String word, Ids out) {
    int length = word.length();
    float[] best = new float[length + 1];
    int[] from = new int[length + 1];
    int[] ids = new int[length + 1];
    Arrays.fill(best, Float.NEGATIVE_INFINITY);
    best[0] = 0;
    for (int start = 0; start < length; ) {
      int characterEnd = word.offsetByCodePoints(start, 1);
      boolean single = false;
      int hash = 0;
      int limit = Math.min(length, start + vocabulary.longest());
      for (int end = start + 1; end <= limit; end++) {
        hash = 31 * hash + word.charAt(end - 1);
        int id = vocabulary.find(word, start, end, hash);
        if (id >= 0 && !Float.isNaN(scores[id])) {
          single |= end == characterEnd;
          float score = best[start] + scores[id];
          if (score > best[end]) {
            best[end] = score;
            from[end] = start;
            ids[end] = id;
          }
        }
      }
      if (!single && best[start] + unknownScore > best[characterEnd]) {
        best[characterEnd] = best[start] + unknownScore;
        from[characterEnd] = start;
        ids[characterEnd] = -1;
      }
      start = characterEnd;
    }
    emit(word, from, ids, out);
  }

  private void emit(String word, int[] from, int[] ids, Ids out) {
    int[] next = new int[word.length() + 1];
    for (int end = word.length(); end > 0; end = from[end]) {
      next[from[end]] = end;
    }
    boolean afterUnknown = false;
    for (int start = 0; start < word.length(); start = next[start]) {
      int id = ids[next[start]];
      if (id >= 0) {
        out.add(id);
        afterUnknown = false;
      } else {
        afterUnknown = unknown.append(word.substring(start, next[start]), afterUnknown, out);
      }
    }
  }
}
