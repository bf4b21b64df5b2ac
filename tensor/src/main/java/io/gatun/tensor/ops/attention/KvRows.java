package io.gatun.tensor.ops.attention;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.sequence.KvPages;
import io.gatun.tensor.sequence.Span;
import java.util.ArrayList;
import java.util.List;

/// Rows of a batch, which are neighbouring positions of one sequence.
///
/// @param from the first row
/// @param to the row after the last
/// @param position that of the first row
public record KvRows(int from, int to, int position, KvPages pages) {
  /// The rows of spans, and what their sequences keep for a part.
  ///
  /// @param x (T, ...), which has all rows
  /// @throws IndexOutOfBoundsException if it has not, or no room was reserved
  @SuppressWarnings("ReferenceEquality") // mostly so, and records compare slowly at first
  public static List<KvRows> of(List<Span> spans, int part, Tensor x) {
    var kv = spans.getFirst().sequence().layout().kv(part);
    var rows = new ArrayList<KvRows>(spans.size());
    for (var span : spans) {
      Check.index("last row of a span", span.to() - 1L, x.dim(0));
      var pages = span.sequence().keyValues(part, (long) span.position() + span.rows());
      if (pages.kv() != kv && !pages.kv().equals(kv)) {
        throw new IllegalArgumentException(
            "part %d keeps %s in one sequence and %s in another; batches are of one model"
                .formatted(part, kv, pages.kv()));
      }
      rows.add(new KvRows(span.from(), span.to(), span.position(), pages));
    }
    return rows;
  }

  int rows() {
    return to - from;
  }
}
