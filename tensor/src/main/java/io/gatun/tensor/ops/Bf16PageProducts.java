package io.gatun.tensor.ops;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.PostOp;
import io.gatun.ffm.WeightLayout;
import io.gatun.tensor.kernel.AttentionScores;
import io.gatun.tensor.kernel.Floats;
import io.gatun.tensor.kernel.Kernels;
import io.gatun.tensor.kernel.Unpack;
import java.lang.foreign.MemorySegment;

/// Products of attention with everything rounded to BF16, through oneDNN, one for all pages of a
/// call; sums are F32.
final class Bf16PageProducts implements PageProducts {
  private static final int PAGE = KvCache.PAGE;

  private final Kernels kernels;
  private final KvCache cache;
  private final int layer;
  private final int c;
  private final int rows;
  private final int columns;

  Bf16PageProducts(Ops ops, KvCache cache, int layer, int rows, int columns) {
    this.kernels = ops.kernels();
    this.cache = cache;
    this.layer = layer;
    this.rows = rows;
    this.columns = columns;
    c = cache.headSize();
  }

  /// A worker's scratch: keys (C, columns) or values (columns, C); queries (rows, C) and weights
  /// (rows, columns), all BF16; a row of keys or values as F32.
  @Override
  public long scratchBytes() {
    return floats() + 4L * Math.max(PAGE, c);
  }

  private long queries() {
    return 2L * columns * c;
  }

  private long weights() {
    return queries() + 2L * rows * c;
  }

  private long floats() {
    return weights() + 2L * rows * columns;
  }

  @Override
  public void prepareQueries(MemorySegment memory, long queries, int m, long scratch) {
    Unpack.floatToBf16(memory, queries, memory, scratch + queries(), (long) m * c);
  }

  @Override
  public void scores(
      MemorySegment memory, long queries, int m, Positions positions, long to, long scratch) {
    long head = cache.keysAt(layer, positions.head());
    for (int i = 0; i < positions.pages(); i++) {
      var page = cache.page(positions.page() + i);
      for (int row = 0; row < c; row++) {
        long at = scratch + 2L * (row * columns + i * PAGE);
        if (cache.hasScales()) {
          long floats = scratch + floats();
          Unpack.toFloat(cache.dtype(), page, head + (long) row * PAGE, memory, floats, PAGE);
          long scales = cache.keyScalesAt(layer, positions.head());
          kernels.mul(memory, floats, page, scales, PAGE, memory, floats);
          Unpack.floatToBf16(memory, floats, memory, at, PAGE);
        } else {
          round(page, head, row * PAGE, memory, at, PAGE);
        }
      }
    }
    var spec = spec(m, positions.n(), c, c, columns, columns);
    multiply(spec, memory, scratch + queries(), scratch, to);
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
    long at = scratch + weights() + 2L * row * columns;
    long first = scores + 4L * (row * columns + from);
    memory.asSlice(at, 2L * from).fill((byte) 0);
    // oneDNN may read on up to a multiple of 32 and multiply by 0 what lies there.
    memory.asSlice(at + 2L * to, 2L * ((n + 31 & -32) - to)).fill((byte) 0);
    return AttentionScores.weights(memory, first, to - from, max, memory, at + 2L * from);
  }

  @Override
  public void sums(
      MemorySegment memory, long scores, int m, Positions positions, long to, long scratch) {
    long head = cache.valuesAt(layer, positions.head());
    for (int i = 0; i < positions.pages(); i++) {
      var page = cache.page(positions.page() + i);
      long at = scratch + 2L * i * PAGE * c;
      if (cache.hasScales()) {
        for (int row = 0; row < positions.inPage(i); row++) {
          long floats = scratch + floats();
          Unpack.toFloat(cache.dtype(), page, head + (long) row * c, memory, floats, c);
          float scale = Floats.get(page, cache.valueScalesAt(layer, positions.head()), row);
          kernels.scale(memory, floats, scale, c, memory, floats);
          Unpack.floatToBf16(memory, floats, memory, at + 2L * row * c, c);
        }
      } else {
        round(page, head, 0, memory, at, positions.inPage(i) * c);
      }
    }
    var spec = spec(m, c, positions.n(), columns, c, c).withPostOps(PostOp.ACCUMULATE);
    multiply(spec, memory, scratch + weights(), scratch, to);
  }

  /// Rounds `count` elements from the `first` of a head's on, which are F32, F16 or BF16.
  private void round(
      MemorySegment page, long head, int first, MemorySegment memory, long at, int count) {
    var type = cache.dtype();
    Unpack.toBf16(type, page, head + (long) first * type.blockBytes(), memory, at, count);
  }

  private static MatmulSpec spec(int m, int n, int k, int lda, int ldb, int ldc) {
    return MatmulSpec.of(m, n, k, ElementType.BF16, ElementType.BF16, ElementType.F32, false)
        .withStrides(lda, WeightLayout.rowMajor(ldb), ldc);
  }

  private static void multiply(MatmulSpec spec, MemorySegment memory, long a, long b, long to) {
    OneDnn.matmul(spec, memory.asSlice(a), memory.asSlice(b), memory.asSlice(to));
  }
}
