package io.gatun.models.text;

import java.util.Arrays;

/// A list of token ids that grows.
final class Ids {
  private int[] values = new int[16];
  private int size;

  void add(int id) {
    if (size == values.length) {
      values = Arrays.copyOf(values, 2 * size);
    }
    values[size++] = id;
  }

  void addAll(int[] ids) {
    if (size + ids.length > values.length) {
      values = Arrays.copyOf(values, Math.max(2 * size, size + ids.length));
    }
    System.arraycopy(ids, 0, values, size, ids.length);
    size += ids.length;
  }

  int size() {
    return size;
  }

  int[] toArray() {
    return toArray(0);
  }

  /// The ids from the index `from` on.
  int[] toArray(int from) {
    return Arrays.copyOfRange(values, from, size);
  }
}
