package io.gatun.tensor.sequence;

import io.gatun.tensor.runtime.Owner;
import java.util.List;

/// The rows `from` to `to`-1 of a batch: neighbouring positions of one sequence.
///
/// @param position that of the first row in the sequence
public record Span(int from, int to, int position, Sequence sequence) {
  /// @throws IllegalArgumentException if there are no rows
  public Span {
    if (from < 0 || to <= from || position < 0) {
      throw new IllegalArgumentException(
          "rows %d to %d at position %d; need at least one row".formatted(from, to - 1, position));
    }
  }

  /// Rows that come next in a sequence.
  public Span(int from, int to, Sequence sequence) {
    this(from, to, sequence.length(), sequence);
  }

  /// How many rows there are.
  public int rows() {
    return to - from;
  }

  /// Keeps other threads out of the sequences.
  ///
  /// @throws IllegalStateException at once if one is closed, or another thread uses it
  public static Owner.Use claim(List<Span> spans) {
    if (spans.size() == 1) {
      return spans.getFirst().sequence.owner().claim();
    }
    var uses = new Owner.Use[spans.size()];
    Owner.Use all =
        () -> {
          for (int i = uses.length - 1; i >= 0; i--) {
            if (uses[i] != null) {
              uses[i].close();
            }
          }
        };
    try {
      for (int i = 0; i < uses.length; i++) {
        uses[i] = spans.get(i).sequence.owner().claim();
      }
    } catch (RuntimeException e) {
      all.close();
      throw e;
    }
    return all;
  }
}
