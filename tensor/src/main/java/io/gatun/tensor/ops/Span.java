package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.attention.KvRows;
import io.gatun.tensor.ops.context.Check;
import java.util.ArrayList;
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

  /// The rows of spans, and what their sequences keep for a part.
  ///
  /// @param x (T, ...), which has all rows
  /// @throws IndexOutOfBoundsException if it has not, or no room was [reserved][Sequence#reserve]
  static List<KvRows> rows(List<Span> spans, int part, Tensor x) {
    var kv = spans.getFirst().sequence.layout().kv(part);
    var rows = new ArrayList<KvRows>(spans.size());
    for (var span : spans) {
      Check.index("last row of a span", span.to - 1L, x.dim(0));
      var pages = span.sequence.keyValues(part);
      if (!pages.kv().equals(kv)) {
        throw new IllegalArgumentException(
            "part %d keeps %s in one sequence and %s in another; batches are of one model"
                .formatted(part, kv, pages.kv()));
      }
      span.sequence.checkReserved(span.position, span.rows());
      rows.add(new KvRows(span.from, span.to, span.position, pages));
    }
    return rows;
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
