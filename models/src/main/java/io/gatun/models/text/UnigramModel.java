package io.gatun.models.text;

import io.gatun.loaders.CheckpointException;
import java.nio.file.Path;
import java.util.Arrays;

/// SentencePiece's unigram model: the segmentation whose pieces' scores (log probabilities) sum to
/// the most, found by Viterbi's algorithm (Kudo 2018, arXiv:1804.10959).
final class UnigramModel implements Model {
  /// How much worse than the worst piece an unknown character is, as in SentencePiece.
  private static final float UNKNOWN_PENALTY = 10;

  /// Sums of such scores stay finite for any text.
  private static final float GREATEST_SCORE = 1e20f;

  private final Vocabulary vocabulary;
  private final float[] scores;
  private final UnknownRule unknown;
  private final float unknownScore;
  private final int longest;

  /// `scores[id]` is NaN for tokens that text never becomes (control, bytes, unknown, unused).
  ///
  /// @throws CheckpointException if a score is no number, or a piece so long that looking for it at
  ///   every character would take too long
  UnigramModel(Vocabulary vocabulary, float[] scores, UnknownRule unknown, Path file) {
    this.vocabulary = vocabulary;
    this.scores = scores;
    this.unknown = unknown;
    float worst = Float.POSITIVE_INFINITY;
    int longest = 0;
    for (int id = 0; id < scores.length; id++) {
      if (!Float.isNaN(scores[id])) {
        if (Math.abs(scores[id]) > GREATEST_SCORE) {
          throw new CheckpointException(
              "%s: the score of token %d is %s; need the logarithm of its probability. The file is damaged."
                  .formatted(file, id, scores[id]));
        }
        worst = Math.min(worst, scores[id]);
        longest = Math.max(longest, vocabulary.length(id));
      }
    }
    if (longest > AddedToken.LONGEST) {
      throw new CheckpointException(
          "%s: a piece has %d characters; a unigram vocabulary's have %d at most"
              .formatted(file, longest, AddedToken.LONGEST));
    }
    unknownScore = worst - UNKNOWN_PENALTY;
    this.longest = longest;
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
      long hash = 0;
      int limit = Math.min(length, start + longest);
      for (int end = start + 1; end <= limit; end++) {
        hash = Vocabulary.hash(hash, word.charAt(end - 1));
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
