package io.gatun.models.text;

import java.util.Arrays;

/// Byte pair encoding: starting from characters, the neighbouring pair of the lowest priority
/// merges, the leftmost first, until none does (Sennrich et al. 2016, arXiv:1508.07909).
///
/// A heap of candidates over a linked list of symbols: n log n in the word's length.
final class BpeModel implements Model {
  private final Vocabulary vocabulary;
  private final Merges merges;
  private final UnknownRule unknown;
  private final boolean ignoreMerges;
  private final String endOfWord;

  /// `ignoreMerges`: a word that is a piece is that piece, whatever the merges say. `endOfWord` is
  /// put behind each word's last character, as CLIP's vocabulary has it; usually empty.
  BpeModel(
      Vocabulary vocabulary,
      Merges merges,
      UnknownRule unknown,
      boolean ignoreMerges,
      String endOfWord) {
    this.vocabulary = vocabulary;
    this.merges = merges;
    this.unknown = unknown;
    this.ignoreMerges = ignoreMerges;
    this.endOfWord = endOfWord;
  }

  @Override
  public void encode(String word, Ids out) {
    if (ignoreMerges) {
      int id = vocabulary.find(word);
      if (id >= 0) {
        out.add(id);
        return;
      }
    }
    new Word(word).mergeAll().emit(out);
  }

  /// One word's symbols: symbol `i` has `ids[i]` and spans `starts[i]` up to its successor's start.
  private final class Word {
    private final String text;
    private final int[] starts;
    private final int[] ids;
    private final int[] next;
    private final int[] previous;
    private final int count;

    /// The merge of each symbol with its successor, or [Merges#NONE].
    private final long[] pairs;

    /// A binary heap of priority (upper half) and symbol (lower half); entries go stale when the
    /// symbol's pair changes, and are then skipped.
    private long[] heap;

    private int heapSize;

    Word(String text) {
      this.text = text;
      int length = text.length();
      starts = new int[length + 1];
      ids = new int[length];
      int n = 0;
      for (int i = 0; i < length; n++) {
        int end = text.offsetByCodePoints(i, 1);
        starts[n] = i;
        ids[n] =
            end == length && !endOfWord.isEmpty()
                ? vocabulary.find(text.substring(i) + endOfWord)
                : vocabulary.find(text, i, end);
        i = end;
      }
      starts[n] = length;
      count = n;
      next = new int[n];
      previous = new int[n];
      pairs = new long[n];
      heap = new long[n];
      for (int i = 0; i < n; i++) {
        next[i] = i + 1;
        previous[i] = i - 1;
      }
    }

    Word mergeAll() {
      for (int i = 0; i < count; i++) {
        findPair(i);
      }
      while (heapSize > 0) {
        long top = pop();
        int left = (int) top;
        long pair = pairs[left];
        if (pair != Merges.NONE && (int) (pair >> 32) == (int) (top >> 32)) {
          merge(left, (int) pair);
        }
      }
      return this;
    }

    void emit(Ids out) {
      boolean afterUnknown = false;
      for (int i = 0; i < count; i = next[i]) {
        if (ids[i] >= 0) {
          out.add(ids[i]);
          afterUnknown = false;
        } else {
          afterUnknown = unknown.append(text.substring(starts[i], end(i)), afterUnknown, out);
        }
      }
    }

    private void merge(int left, int id) {
      int right = next[left];
      ids[left] = id;
      pairs[right] = Merges.NONE;
      next[left] = next[right];
      if (next[left] < count) {
        previous[next[left]] = left;
      }
      findPair(left);
      if (previous[left] >= 0) {
        findPair(previous[left]);
      }
    }

    private void findPair(int left) {
      int right = next[left];
      pairs[left] =
          right == count
              ? Merges.NONE
              : merges.find(text, starts[left], end(right), ids[left], ids[right]);
      if (pairs[left] != Merges.NONE) {
        push((pairs[left] & 0xFFFFFFFF_00000000L) | left);
      }
    }

    private int end(int symbol) {
      return starts[next[symbol]];
    }

    private void push(long entry) {
      if (heapSize == heap.length) {
        heap = Arrays.copyOf(heap, 2 * heapSize);
      }
      int i = heapSize++;
      while (i > 0 && heap[(i - 1) / 2] > entry) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
      }
      heap[i] = entry;
    }

    private long pop() {
      long top = heap[0];
      long last = heap[--heapSize];
      int i = 0;
      for (int child = 1; child < heapSize; child = 2 * i + 1) {
        if (child + 1 < heapSize && heap[child + 1] < heap[child]) {
          child++;
        }
        if (last <= heap[child]) {
          break;
        }
        heap[i] = heap[child];
        i = child;
      }
      heap[i] = last;
      return top;
    }
  }
}
