package io.gatun.tensor.ops.attention;

/// Rows of a batch, which are neighbouring positions of one sequence.
///
/// @param from the first row
/// @param to the row after the last
/// @param position that of the first row
public record KvRows(int from, int to, int position, KvPages pages) {
  int rows() {
    return to - from;
  }
}
