package io.gatun.tensor.ops;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.PostOp;
import io.gatun.ffm.WeightLayout;
import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.Unpack;
import java.lang.foreign.MemorySegment;

/// The products of attention with a page of a [KvCache]: queries with its keys, and weights with
/// its values. Many rows are rounded to BF16 where that may be and pays, and multiplied by oneDNN;
/// sums are F32 always.
final class PageProducts {
  private static final int PAGE = KvCache.PAGE;

  /// From so many rows on rounding everything to BF16 pays.
  private static final int BF16_ROWS = 64;

  private final Ops ops;
  private final DType dtype;
  private final int c;
  private final int rows;
  private final int columns;
  private final boolean bf16;

  /// @param rows the most rows of queries and weights
  /// @param columns columns of the weights, a whole number of pages
  PageProducts(Ops ops, KvCache cache, int rows, int columns) {
    this.ops = ops;
    this.rows = rows;
    this.columns = columns;
    dtype = cache.dtype();
    c = cache.headSize();
    bf16 =
        ops.fast()
            && ops.backend() == Backend.NATIVE
            && rows >= BF16_ROWS
            && OneDnn.supports(ElementType.BF16);
  }

  /// A worker's scratch: a page's keys or values as F32 and as BF16, queries and weights as BF16.
  long scratchBytes() {
    return bf16 ? weights() + 2L * rows * columns : page();
  }

  private long page() {
    return 4L * PAGE * c;
  }

  private long queries() {
    return page() + 2L * PAGE * c;
  }

  private long weights() {
    return queries() + 2L * rows * c;
  }

  /// Prepares `m` rows of queries for [#scores].
  void prepareQueries(MemorySegment memory, long from, int m, long scratch) {
    if (bf16) {
      Unpack.floatToBf16(memory, from, memory, scratch + queries(), (long) m * c);
    }
  }

  /// Prepares `m` rows of weights for [#sums].
  void prepareWeights(MemorySegment memory, long from, int m, long scratch) {
    if (bf16) {
      Unpack.floatToBf16(memory, from, memory, scratch + weights(), (long) m * columns);
    }
  }

  /// Products of `m` queries (m, C) with the keys (C, PAGE) of `n` positions, to `to`, where rows
  /// have the columns of the weights.
  void scores(
      MemorySegment memory,
      long queries,
      MemorySegment page,
      long keys,
      int m,
      int n,
      long to,
      long scratch) {
    if (bf16) {
      var b = bf16(memory, page, keys, PAGE * c, scratch);
      var spec = spec(m, n, c, c, PAGE, columns);
      OneDnn.matmul(spec, memory.asSlice(scratch + queries()), b, memory.asSlice(to));
    } else {
      var b = floats(memory, page, keys, PAGE * c, scratch);
      Gemm.multiply(ops, memory, queries, c, b, 0, PAGE, memory, to, columns, m, n, c, false);
    }
  }

  /// Adds products of `m` rows of weights, from their column `first` on, with the values (PAGE, C)
  /// of `n` positions to `to` (m, C).
  void sums(
      MemorySegment memory,
      long weights,
      int first,
      MemorySegment page,
      long values,
      int m,
      int n,
      long to,
      long scratch) {
    if (bf16) {
      var b = bf16(memory, page, values, n * c, scratch);
      var spec = spec(m, c, n, columns, c, c).withPostOps(PostOp.ACCUMULATE);
      long a = scratch + weights() + 2L * first;
      OneDnn.matmul(spec, memory.asSlice(a), b, memory.asSlice(to));
    } else {
      var b = floats(memory, page, values, n * c, scratch);
      long a = weights + 4L * first;
      Gemm.multiply(ops, memory, a, columns, b, 0, c, memory, to, c, m, c, n, true);
    }
  }

  private static MatmulSpec spec(int m, int n, int k, int lda, int ldb, int ldc) {
    return MatmulSpec.of(m, n, k, ElementType.BF16, ElementType.BF16, ElementType.F32, false)
        .withStrides(lda, WeightLayout.rowMajor(ldb), ldc);
  }

  private MemorySegment floats(
      MemorySegment memory, MemorySegment page, long from, int count, long scratch) {
    if (dtype == DType.Plain.F32) {
      return page.asSlice(from);
    }
    Unpack.toFloat(dtype, page, from, memory, scratch, count);
    return memory.asSlice(scratch);
  }

  private MemorySegment bf16(
      MemorySegment memory, MemorySegment page, long from, int count, long scratch) {
    if (dtype == DType.Plain.BF16) {
      return page.asSlice(from);
    }
    var floats = floats(memory, page, from, count, scratch);
    Unpack.floatToBf16(floats, 0, memory, scratch + page(), count);
    return memory.asSlice(scratch + page());
  }
}
