package io.gatun.tensor.ops;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.OneDnn;
import io.gatun.tensor.kernel.dense.StoredProduct;
import io.gatun.tensor.ops.context.Context;
import java.lang.foreign.MemorySegment;

/// What attention computes from some pages of one part of a [Sequence]: scores of queries with its
/// keys, and sums of its values.
///
/// Rows are stacked queries. Their scores, and what becomes of them, lie in rows of as many columns
/// as the most positions of a call; there is room for a multiple of [StoredProduct#ROWS] of them.
/// Memory and offsets are those of a worker; `scratch` is where [#scratchBytes] bytes of it are the
/// products' own.
interface PageProducts {
  /// From so many rows on rounding everything to BF16 pays.
  int BF16_ROWS = 64;

  /// Some positions of one key/value head.
  ///
  /// @param page the first page
  /// @param n the positions from its beginning on
  record Positions(int head, int page, int n) {
    /// The positions of the `i`th of the pages.
    int inPage(int i) {
      return Math.min(SequenceLayout.PAGE, n - i * SequenceLayout.PAGE);
    }

    int pages() {
      return Math.ceilDiv(n, SequenceLayout.PAGE);
    }
  }

  /// The products in the types that suit the rows, the backend and the machine.
  ///
  /// @param rows the most rows of queries
  /// @param columns the most positions of a call, a whole number of pages
  static PageProducts of(Context ctx, Sequence sequence, int part, int rows, int columns) {
    boolean bf16 =
        ctx.fast()
            && ctx.backend() == Backend.NATIVE
            && rows >= BF16_ROWS
            && OneDnn.supports(ElementType.BF16);
    return bf16
        ? new Bf16PageProducts(ctx, sequence, part, rows, columns)
        : new F32PageProducts(ctx, sequence, part, rows, columns);
  }

  /// The bytes of scratch memory that a worker needs.
  long scratchBytes();

  /// Prepares `m` rows of queries (m, K) for [#scores].
  void prepareQueries(MemorySegment memory, long queries, int m, long scratch);

  /// Products of `m` queries with the keys, to `to`.
  void scores(
      MemorySegment memory, long queries, int m, Positions positions, long to, long scratch);

  /// Makes the scores `from` .. `to`-1 of a row the weights `exp(score - max)`, and those of the
  /// other positions 0.
  ///
  /// @param scores where row 0 begins
  /// @param n positions
  /// @return the sum of the weights
  float weights(
      MemorySegment memory, long scores, int row, int from, int to, int n, float max, long scratch);

  /// Adds products of `m` rows of weights with the values to `to` (m, V).
  void sums(MemorySegment memory, long scores, int m, Positions positions, long to, long scratch);
}
