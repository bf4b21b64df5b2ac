package io.gatun.tensor.ops.attention;

import static io.gatun.tensor.sequence.CacheLayout.PAGE;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.SmallProducts;
import io.gatun.tensor.kernel.dense.StoredProduct;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.scalar.Kernels;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.sequence.KvPages;
import java.lang.foreign.MemorySegment;

/// Products with [KvPages] in F32, by the Vector API. Few rows are multiplied with keys and values
/// as they are stored, more with a copy in F32.
final class PagedF32Products implements AttentionProducts {
  private static final long PANEL = 4L * SmallProducts.COLUMNS;

  private final Kernels kernels;
  private final Tensor q;
  private final KvPages pages;
  private final AttentionShape s;
  private final boolean storedKeys;
  private final boolean storedValues;

  /// @param q (T, H, K), the rows of the span
  PagedF32Products(Context ctx, Tensor q, KvPages pages, AttentionShape shape) {
    this.kernels = ctx.kernels();
    this.q = q;
    this.pages = pages;
    this.s = shape;
    boolean few = s.isPageByPage() && pages.isFinite();
    storedKeys = few && StoredProduct.supports(pages.dtype(), PAGE);
    storedValues = few && StoredProduct.supports(pages.dtype(), s.valueDim());
  }

  @Override
  public boolean bf16Weights() {
    return false;
  }

  @Override
  public int spareRows() {
    return Math.max(SmallProducts.ROWS, StoredProduct.ROWS) - 1;
  }

  @Override
  public int sumStride() {
    return SmallProducts.columns(s.valueDim());
  }

  /// Queries, and a page's keys or values, beyond which a row may be read.
  @Override
  public long scratchBytes() {
    return copyAt() + 4L * PAGE * Math.max(s.keyDim(), s.valueDim()) + PANEL;
  }

  private long copyAt() {
    return 4L * (s.rowsPerBlock() + spareRows()) * s.keyDim();
  }

  @Override
  public void begin(Block b) {
    long bytes = 4L * s.group() * s.keyDim();
    for (int t = 0; t < b.queries(); t++) {
      long from = ((long) (b.first() + t) * s.heads() + b.head()) * bytes;
      MemorySegment.copy(q.segment(), from, b.memory(), b.scratchAt() + t * bytes, bytes);
    }
  }

  @Override
  public void scores(Block b, int keyBlock, long scores) {
    long base = b.memory().address();
    int k = s.keyDim();
    for (int i = 0; i * PAGE < s.keysIn(keyBlock); i++) {
      int index = s.firstOf(keyBlock) / PAGE + i;
      var page = pages.memory(index);
      long keys = pages.keysAt(index, b.head());
      long to = scores + 4L * i * PAGE;
      if (storedKeys) {
        int n = StoredProduct.columns(Math.min(PAGE, s.keysIn(keyBlock) - i * PAGE));
        stored(b, b.scratchAt(), k, page, keys, PAGE, to, s.scoreStride(), n, k, false);
      } else {
        SmallProducts.multiply(
            base + b.scratchAt(),
            4L * k,
            floats(b, page, keys, PAGE * k, PAGE),
            PANEL,
            4L * PAGE,
            k,
            base + to,
            4L * s.scoreStride(),
            b.rows(),
            PAGE,
            false);
      }
      if (pages.hasScales()) {
        mulRows(b, to, PAGE, page, pages.keyScalesAt(index, b.head()));
      }
    }
  }

  @Override
  public void values(Block b, int keyBlock, long weights, long sums, boolean add) {
    long base = b.memory().address();
    int v = s.valueDim();
    for (int i = 0; i * PAGE < s.keysIn(keyBlock); i++) {
      int index = s.firstOf(keyBlock) / PAGE + i;
      var page = pages.memory(index);
      long values = pages.valuesAt(index, b.head());
      long at = weights + 4L * i * PAGE;
      int n = Math.min(PAGE, s.keysIn(keyBlock) - i * PAGE);
      boolean more = add || i > 0;
      if (pages.hasScales()) {
        mulRows(b, at, n, page, pages.valueScalesAt(index, b.head()));
      }
      if (storedValues) {
        stored(b, at, s.scoreStride(), page, values, v, sums, sumStride(), v, n, more);
      } else {
        SmallProducts.multiply(
            base + at,
            4L * s.scoreStride(),
            floats(b, page, values, n * v, v),
            PANEL,
            4L * v,
            n,
            base + sums,
            4L * sumStride(),
            b.rows(),
            v,
            more);
      }
    }
  }

  /// With what a page stores. Rows that fill up the last eight are multiplied, too.
  private void stored(
      Block b,
      long a,
      int lda,
      MemorySegment page,
      long at,
      int ldb,
      long to,
      int ldc,
      int n,
      int k,
      boolean add) {
    int rows = Math.ceilDiv(b.rows(), StoredProduct.ROWS) * StoredProduct.ROWS;
    var memory = b.memory();
    StoredProduct.multiply(
        pages.dtype(), memory, a, lda, page, at, ldb, memory, to, ldc, rows, n, k, add);
  }

  /// Multiplies each row with the scales of the positions.
  private void mulRows(Block b, long rows, int n, MemorySegment scales, long scalesAt) {
    for (int i = 0; i < b.rows(); i++) {
      long row = rows + 4L * i * s.scoreStride();
      kernels.mul(b.memory(), row, scales, scalesAt, n, b.memory(), row);
    }
  }

  /// The address of a page's elements as F32: of a copy, unless they are F32, in rows of whole
  /// panels, beyond which nothing is read.
  private long floats(Block b, MemorySegment page, long from, int count, int columns) {
    if (pages.dtype() == DType.Plain.F32 && columns % SmallProducts.COLUMNS == 0) {
      return page.address() + from;
    }
    long at = b.scratchAt() + copyAt();
    Unpack.toFloat(pages.dtype(), page, from, b.memory(), at, count);
    return b.memory().address() + at;
  }
}
