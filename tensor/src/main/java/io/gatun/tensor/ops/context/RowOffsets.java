package io.gatun.tensor.ops.context;

import io.gatun.tensor.Tensor;

/// Where the rows of a tensor start that has gaps between them, perhaps, but not within them.
public final class RowOffsets {
  private final long[] dims;
  private final long[] strides;
  private final long columns;
  private final long count;
  private final long distance;

  /// @throws IllegalArgumentException if a row has gaps
  public RowOffsets(Tensor x) {
    if (!hasWholeRows(x)) {
      throw new IllegalArgumentException(
          "a tensor of shape %s has gaps within its rows; need contiguous rows: copy it with copy(arena)"
              .formatted(x.shape()));
    }
    int last = x.shape().rank() - 1;
    columns = x.dim(last);
    dims = new long[last];
    strides = new long[last];
    long rows = 1;
    for (int i = 0; i < last; i++) {
      dims[i] = x.dim(i);
      strides[i] = x.stride(i);
      rows *= dims[i];
    }
    count = rows;
    distance = evenDistance();
  }

  /// Whether the elements of a row lie side by side.
  public static boolean hasWholeRows(Tensor x) {
    return x.shape().rank() > 0 && (x.dim(-1) <= 1 || x.stride(-1) == 1);
  }

  private long evenDistance() {
    long expected = -1;
    long first = columns;
    for (int i = dims.length - 1; i >= 0; i--) {
      if (dims[i] == 1) {
        continue;
      }
      if (expected < 0) {
        first = strides[i];
      } else if (strides[i] != expected) {
        return -1;
      }
      expected = strides[i] * dims[i];
    }
    return first;
  }

  public long columns() {
    return columns;
  }

  /// The number of rows.
  public long count() {
    return count;
  }

  /// The elements from each row's start to the next one's; -1 where that differs.
  public long distance() {
    return distance;
  }

  /// The element at which a row starts.
  public long element(long row) {
    if (distance >= 0) {
      return row * distance;
    }
    long at = 0;
    long rest = row;
    for (int i = dims.length - 1; i >= 0; i--) {
      at += rest % dims[i] * strides[i];
      rest /= dims[i];
    }
    return at;
  }
}
