package io.gatun.models.sampling;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Tokens that are ordered by a number, as keys of one `long` each, outside the heap. Of tokens
/// with equal numbers the lower one is greater.
final class TokenHeap {
  private final MemorySegment keys;

  TokenHeap(int capacity) {
    keys = Arena.ofAuto().allocate(JAVA_LONG, capacity);
  }

  private static long key(float value, int token) {
    int bits = Float.floatToRawIntBits(value + 0f); // of two zeros one
    int ordered = bits ^ (bits >> 31 & Integer.MAX_VALUE);
    return (long) ordered << 32 | (~token & 0xFFFFFFFFL);
  }

  int token(int index) {
    return ~(int) get(index);
  }

  void set(int index, float value, int token) {
    set(index, key(value, token));
  }

  /// Copies the key at `from` to `to`.
  void move(int from, int to) {
    set(to, get(from));
  }

  /// Makes a heap of the first `n`, with the greatest at 0.
  void heapify(int n) {
    for (int i = n / 2 - 1; i >= 0; i--) {
      sink(i, n);
    }
  }

  /// Puts another at the top of a heap of `n` in the place of the one there.
  void replaceTop(float value, int token, int n) {
    set(0, key(value, token));
    sink(0, n);
  }

  /// Moves the top of a heap of `n` to its end, `n - 1`, which is no longer part of it.
  void pop(int n) {
    swap(0, n - 1);
    sink(0, n - 1);
  }

  /// Sorts the first `n`, which are a heap, the greatest last.
  void sortHeap(int n) {
    for (int end = n; end > 1; end--) {
      pop(end);
    }
  }

  /// Reverses the order of the first `n`.
  void reverse(int n) {
    for (int i = 0; i < n / 2; i++) {
      swap(i, n - 1 - i);
    }
  }

  private void swap(int i, int j) {
    long key = get(i);
    set(i, get(j));
    set(j, key);
  }

  private void sink(int from, int n) {
    int i = from;
    long key = get(i);
    for (int child = 2 * i + 1; child < n; child = 2 * i + 1) {
      if (child + 1 < n && get(child + 1) > get(child)) {
        child++;
      }
      if (get(child) <= key) {
        break;
      }
      set(i, get(child));
      i = child;
    }
    set(i, key);
  }

  private long get(int index) {
    return keys.getAtIndex(JAVA_LONG, index);
  }

  private void set(int index, long key) {
    keys.setAtIndex(JAVA_LONG, index, key);
  }
}
