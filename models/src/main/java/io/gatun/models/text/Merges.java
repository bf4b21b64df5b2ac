package io.gatun.models.text;

import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/// Which neighbouring symbols merge into which, and in what order.
interface Merges {
  /// What [#find] returns when the two do not merge.
  long NONE = -1;

  /// The merge of the symbols `left` and `right` (-1: a character that is not in the vocabulary),
  /// which span `from` to `to` in `text`: priority (signed, the lowest merges first) in the upper
  /// 32 bits, the id of the merged symbol in the lower, or [#NONE].
  long find(String text, int from, int to, int left, int right);

  static long pack(int priority, int id) {
    return (long) priority << 32 | id;
  }

  /// SentencePiece's BPE: two symbols merge if together they are a piece, the best score first;
  /// pieces whose score is NaN (control tokens, bytes) are none that text becomes.
  static Merges byScore(Vocabulary vocabulary, float[] scores) {
    return (text, from, to, left, right) -> {
      int id = vocabulary.find(text, from, to);
      if (id < 0 || Float.isNaN(scores[id])) {
        return NONE;
      }
      int bits = Float.floatToIntBits(scores[id]);
      int ascending = bits ^ ((bits >> 31) & Integer.MAX_VALUE);
      return pack(~ascending, id);
    };
  }

  /// BPE by a list of merges: pairs of ids in a hash table with open addressing.
  final class Table implements Merges {
    /// Drawn anew for each run, so that no file can be made of pairs that all collide.
    private static final long FACTOR = new SplittableRandom().nextLong() | 1;

    private final long[] pairs;
    private final long[] merges;

    /// The merges in the order of their ranks: `lefts[rank]` with `rights[rank]`. Those whose
    /// pieces the vocabulary lacks are left out, and `unknown` is told their ranks.
    static Table of(
        Vocabulary vocabulary, List<String> lefts, List<String> rights, IntConsumer unknown) {
      var left = new int[lefts.size()];
      var right = new int[left.length];
      var merged = new int[left.length];
      // Looking pieces up is most of the work of loading a vocabulary.
      IntStream.range(0, left.length)
          .parallel()
          .forEach(
              rank -> {
                left[rank] = vocabulary.find(lefts.get(rank));
                right[rank] = vocabulary.find(rights.get(rank));
                merged[rank] = vocabulary.findJoined(lefts.get(rank), rights.get(rank));
              });
      var table = new Table(left.length);
      for (int rank = 0; rank < left.length; rank++) {
        if ((left[rank] | right[rank] | merged[rank]) >= 0) {
          table.add(left[rank], right[rank], rank, merged[rank]);
        } else {
          unknown.accept(rank);
        }
      }
      return table;
    }

    /// A table for at most `count` merges.
    private Table(int count) {
      int slots = Integer.highestOneBit(Math.max(8, count)) << 2;
      pairs = new long[slots];
      merges = new long[slots];
    }

    /// Adds a merge; a pair that is there already keeps its rank.
    private void add(int left, int right, int rank, int merged) {
      int slot = slot(left, right);
      if (pairs[slot] == 0) {
        pairs[slot] = key(left, right);
        merges[slot] = pack(rank, merged);
      }
    }

    @Override
    public long find(String text, int from, int to, int left, int right) {
      if ((left | right) < 0) {
        return NONE;
      }
      int slot = slot(left, right);
      return pairs[slot] == 0 ? NONE : merges[slot];
    }

    private int slot(int left, int right) {
      long key = key(left, right);
      int slot = (int) (key * FACTOR >>> 64 - Long.numberOfTrailingZeros(pairs.length));
      while (pairs[slot] != 0 && pairs[slot] != key) {
        slot = slot + 1 & pairs.length - 1;
      }
      return slot;
    }

    /// Never 0, which marks a free slot.
    private static long key(int left, int right) {
      return (left + 1L) << 32 | right;
    }
  }
}
