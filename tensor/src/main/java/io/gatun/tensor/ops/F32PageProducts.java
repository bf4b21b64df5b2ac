package io.gatun.tensor.ops;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.dense.StoredProduct;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Gemm;
import java.lang.foreign.MemorySegment;

/// Products of attention in F32, a page at a time. Few rows are multiplied with keys and values as
/// they are stored, more with a copy in F32.
final class F32PageProducts implements PageProducts {
  private static final int PAGE = SequenceLayout.PAGE;

  private static final int FEW = 32;

  private final Context ctx;
  private final Sequence sequence;
  private final SequenceLayout layout;
  private final int part;
  private final int keyDim;
  private final int valueDim;
  private final int columns;
  private final boolean storedKeys;
  private final boolean storedValues;

  /// @param rows the most rows of queries
  F32PageProducts(Context ctx, Sequence sequence, int part, int rows, int columns) {
    this.ctx = ctx;
    this.sequence = sequence;
    this.layout = sequence.layout();
    this.part = part;
    this.columns = columns;
    keyDim = layout.kv(part).keyDim();
    valueDim = layout.kv(part).valueDim();
    boolean few = rows <= FEW && ctx.backend() != Backend.SCALAR && sequence.isFinite();
    storedKeys = few && StoredProduct.supports(layout.dtype(), PAGE);
    storedValues = few && StoredProduct.supports(layout.dtype(), valueDim);
  }

  /// A page's keys or values.
  @Override
  public long scratchBytes() {
    return 4L * PAGE * Math.max(keyDim, valueDim);
  }

  @Override
  public void prepareQueries(MemorySegment memory, long queries, int m, long scratch) {}

  @Override
  public void scores(
      MemorySegment memory, long queries, int m, Positions positions, long to, long scratch) {
    for (int i = 0; i < positions.pages(); i++) {
      int n = positions.inPage(i);
      long at = to + 4L * i * PAGE;
      var page = sequence.page(positions.page() + i);
      long keys = layout.keysAt(part, positions.head());
      if (storedKeys) {
        multiply(memory, queries, keyDim, page, keys, PAGE, at, columns, m, PAGE, keyDim, false);
      } else {
        var b = floats(memory, page, keys, PAGE * keyDim, scratch);
        Gemm.multiply(
            ctx, memory, queries, keyDim, b, 0, PAGE, memory, at, columns, m, n, keyDim, false);
      }
      if (layout.hasScales()) {
        mulRows(memory, at, m, n, page, layout.keyScalesAt(part, positions.head()));
      }
    }
  }

  @Override
  public float weights(
      MemorySegment memory,
      long scores,
      int row,
      int from,
      int to,
      int n,
      float max,
      long scratch) {
    long at = scores + 4L * row * columns;
    float sum = ctx.kernels().expSum(memory, at + 4L * from, max, to - from);
    memory.asSlice(at, 4L * from).fill((byte) 0);
    memory.asSlice(at + 4L * to, 4L * (n - to)).fill((byte) 0);
    return sum;
  }

  @Override
  public void sums(
      MemorySegment memory, long scores, int m, Positions positions, long to, long scratch) {
    for (int i = 0; i < positions.pages(); i++) {
      int n = positions.inPage(i);
      long at = scores + 4L * i * PAGE;
      var page = sequence.page(positions.page() + i);
      long values = layout.valuesAt(part, positions.head());
      int d = valueDim;
      if (layout.hasScales()) {
        mulRows(memory, at, m, n, page, layout.valueScalesAt(part, positions.head()));
      }
      if (storedValues) {
        multiply(memory, at, columns, page, values, d, to, d, m, d, n, true);
      } else {
        var b = floats(memory, page, values, n * d, scratch);
        Gemm.multiply(ctx, memory, at, columns, b, 0, d, memory, to, d, m, d, n, true);
      }
    }
  }

  /// With what a page stores. Rows that fill up the last four are multiplied, too.
  private void multiply(
      MemorySegment memory,
      long a,
      int lda,
      MemorySegment page,
      long stored,
      int ldb,
      long to,
      int ldc,
      int m,
      int n,
      int k,
      boolean add) {
    int rows = Math.ceilDiv(m, StoredProduct.ROWS) * StoredProduct.ROWS;
    StoredProduct.multiply(
        layout.dtype(), memory, a, lda, page, stored, ldb, memory, to, ldc, rows, n, k, add);
  }

  /// Multiplies each row with the scales of the positions.
  private void mulRows(
      MemorySegment memory, long rows, int m, int n, MemorySegment scales, long scalesAt) {
    for (int i = 0; i < m; i++) {
      long row = rows + 4L * i * columns;
      ctx.kernels().mul(memory, row, scales, scalesAt, n, memory, row);
    }
  }

  private MemorySegment floats(
      MemorySegment memory, MemorySegment page, long from, int count, long scratch) {
    if (layout.dtype() == DType.Plain.F32) {
      return page.asSlice(from);
    }
    Unpack.toFloat(layout.dtype(), page, from, memory, scratch, count);
    return memory.asSlice(scratch);
  }
}
