package io.gatun.tensor.ops;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.Unpack;
import java.lang.foreign.MemorySegment;

/// Products of attention in F32, a page at a time.
final class F32PageProducts implements PageProducts {
  private static final int PAGE = KvCache.PAGE;

  private final Ops ops;
  private final KvCache cache;
  private final int layer;
  private final int c;
  private final int columns;

  F32PageProducts(Ops ops, KvCache cache, int layer, int columns) {
    this.ops = ops;
    this.cache = cache;
    this.layer = layer;
    this.columns = columns;
    c = cache.headSize();
  }

  /// A page's keys or values.
  @Override
  public long scratchBytes() {
    return 4L * PAGE * c;
  }

  @Override
  public void prepareQueries(MemorySegment memory, long queries, int m, long scratch) {}

  @Override
  public void scores(
      MemorySegment memory, long queries, int m, Positions positions, long to, long scratch) {
    for (int i = 0; i < positions.pages(); i++) {
      int n = positions.inPage(i);
      long at = to + 4L * i * PAGE;
      var page = cache.page(positions.page() + i);
      var keys = floats(memory, page, cache.keysAt(layer, positions.head()), PAGE * c, scratch);
      Gemm.multiply(ops, memory, queries, c, keys, 0, PAGE, memory, at, columns, m, n, c, false);
      if (cache.hasScales()) {
        mulRows(memory, at, m, n, page, cache.keyScalesAt(layer, positions.head()));
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
    float sum = ops.kernels().expSum(memory, at + 4L * from, max, to - from);
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
      var page = cache.page(positions.page() + i);
      if (cache.hasScales()) {
        mulRows(memory, at, m, n, page, cache.valueScalesAt(layer, positions.head()));
      }
      var values = floats(memory, page, cache.valuesAt(layer, positions.head()), n * c, scratch);
      Gemm.multiply(ops, memory, at, columns, values, 0, c, memory, to, c, m, c, n, true);
    }
  }

  /// Multiplies each row with the scales of the positions.
  private void mulRows(
      MemorySegment memory, long rows, int m, int n, MemorySegment scales, long scalesAt) {
    for (int i = 0; i < m; i++) {
      long row = rows + 4L * i * columns;
      ops.kernels().mul(memory, row, scales, scalesAt, n, memory, row);
    }
  }

  private MemorySegment floats(
      MemorySegment memory, MemorySegment page, long from, int count, long scratch) {
    if (cache.dtype() == DType.Plain.F32) {
      return page.asSlice(from);
    }
    Unpack.toFloat(cache.dtype(), page, from, memory, scratch, count);
    return memory.asSlice(scratch);
  }
}
