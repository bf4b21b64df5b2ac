package io.gatun.tensor.ops.attention;

import static io.gatun.tensor.sequence.CacheLayout.PAGE;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.PostOp;
import io.gatun.ffm.WeightLayout;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.kernel.scalar.Kernels;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.sequence.KvPages;
import java.lang.foreign.MemorySegment;

/// Products with [KvPages], everything rounded to BF16, through oneDNN, one for all pages of a
/// block; sums are F32. They have whole pages and a multiple of [#ROWS] rows, so that there are few
/// kinds of them, whatever the lengths of prompts.
final class PagedBf16Products implements AttentionProducts {

  private static final int ROWS = 32;

  private final Kernels kernels;
  private final Tensor q;
  private final KvPages pages;
  private final AttentionShape s;

  /// @param q (T, H, K), the rows of the span
  PagedBf16Products(Context ctx, Tensor q, KvPages pages, AttentionShape shape) {
    this.kernels = ctx.kernels();
    this.q = q;
    this.pages = pages;
    this.s = shape;
  }

  @Override
  public boolean bf16Weights() {
    return true;
  }

  @Override
  public int spareRows() {
    return whole(s.rowsPerBlock()) - s.rowsPerBlock();
  }

  private static int whole(int rows) {
    return Math.ceilDiv(rows, ROWS) * ROWS;
  }

  @Override
  public int sumStride() {
    return s.valueDim();
  }

  /// Keys (K, keys) or values (keys, V); queries (rows, K), all BF16; a row of keys or values as
  /// F32.
  @Override
  public long scratchBytes() {
    return floatsAt() + 4L * Math.max(PAGE, s.valueDim());
  }

  private long queriesAt() {
    return 2L * s.keysPerBlock() * Math.max(s.keyDim(), s.valueDim());
  }

  private long floatsAt() {
    return queriesAt() + 2L * whole(s.rowsPerBlock()) * s.keyDim();
  }

  @Override
  public void begin(Block b) {
    long n = (long) s.group() * s.keyDim();
    for (int t = 0; t < b.queries(); t++) {
      long from = ((long) (b.first() + t) * s.heads() + b.head()) * n;
      long to = b.scratchAt() + queriesAt() + 2 * t * n;
      Unpack.floatToBf16(q.segment(), 4 * from, b.memory(), to, n);
    }
  }

  private int pages(int keyBlock) {
    return Math.ceilDiv(s.keysIn(keyBlock), PAGE);
  }

  @Override
  public void scores(Block b, int keyBlock, long scores) {
    for (int i = 0; i < pages(keyBlock); i++) {
      int index = s.firstOf(keyBlock) / PAGE + i;
      var page = pages.memory(index);
      long head = pages.keysAt(index, b.head());
      for (int row = 0; row < s.keyDim(); row++) {
        long at = b.scratchAt() + 2L * (row * s.keysPerBlock() + i * PAGE);
        if (pages.hasScales()) {
          long floats = b.scratchAt() + floatsAt();
          Unpack.toFloat(pages.dtype(), page, head + (long) row * PAGE, b.memory(), floats, PAGE);
          long scales = pages.keyScalesAt(index, b.head());
          kernels.mul(b.memory(), floats, page, scales, PAGE, b.memory(), floats);
          Unpack.floatToBf16(b.memory(), floats, b.memory(), at, PAGE);
        } else {
          round(page, head, row * PAGE, b.memory(), at, PAGE);
        }
      }
    }
    int n = pages(keyBlock) * PAGE;
    var spec = spec(b, n, s.keyDim(), s.keyDim(), s.keysPerBlock(), s.scoreStride());
    multiply(spec, b.memory(), b.scratchAt() + queriesAt(), b.scratchAt(), scores);
  }

  @Override
  public void values(Block b, int keyBlock, long weights, long sums, boolean add) {
    int v = s.valueDim();
    for (int i = 0; i < pages(keyBlock); i++) {
      int index = s.firstOf(keyBlock) / PAGE + i;
      var page = pages.memory(index);
      long head = pages.valuesAt(index, b.head());
      int n = Math.min(PAGE, s.keysIn(keyBlock) - i * PAGE);
      long at = b.scratchAt() + 2L * i * PAGE * v;
      if (pages.hasScales()) {
        for (int row = 0; row < n; row++) {
          long floats = b.scratchAt() + floatsAt();
          Unpack.toFloat(pages.dtype(), page, head + (long) row * v, b.memory(), floats, v);
          float scale = Floats.get(page, pages.valueScalesAt(index, b.head()), row);
          kernels.scale(b.memory(), floats, scale, v, b.memory(), floats);
          Unpack.floatToBf16(b.memory(), floats, b.memory(), at + 2L * row * v, v);
        }
      } else {
        round(page, head, 0, b.memory(), at, n * v);
      }
      // Weights are 0 there, and what lies there may be no number.
      b.memory().asSlice(at + 2L * n * v, 2L * (PAGE - n) * v).fill((byte) 0);
    }
    var spec = spec(b, v, pages(keyBlock) * PAGE, 2 * s.scoreStride(), v, v);
    multiply(
        add ? spec.withPostOps(PostOp.ACCUMULATE) : spec, b.memory(), weights, b.scratchAt(), sums);
  }

  /// Rounds `count` elements from the `first` of a head's on, which are F32, F16 or BF16.
  private void round(
      MemorySegment page, long head, int first, MemorySegment memory, long at, int count) {
    var type = pages.dtype();
    Unpack.toBf16(type, page, head + (long) first * type.blockBytes(), memory, at, count);
  }

  private static MatmulSpec spec(Block b, int n, int k, int lda, int ldb, int ldc) {
    int m = whole(b.rows());
    return MatmulSpec.of(m, n, k, ElementType.BF16, ElementType.BF16, ElementType.F32, false)
        .withStrides(lda, WeightLayout.rowMajor(ldb), ldc);
  }

  private static void multiply(MatmulSpec spec, MemorySegment memory, long a, long b, long to) {
    OneDnn.matmul(spec, memory.asSlice(a), memory.asSlice(b), memory.asSlice(to));
  }
}
