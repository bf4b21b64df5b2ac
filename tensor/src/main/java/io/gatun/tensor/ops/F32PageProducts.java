package io.gatun.tensor.ops;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.Unpack;
import java.lang.foreign.MemorySegment;

/// Products of attention in F32, a page at a time.
final class F32PageProducts implements PageProducts {
  private static final int PAGE = SequenceLayout.PAGE;

  private final Ops ops;
  private final Sequence sequence;
  private final SequenceLayout layout;
  private final int part;
  private final int keyDim;
  private final int valueDim;
  private final int columns;

  F32PageProducts(Ops ops, Sequence sequence, int part, int columns) {
    this.ops = ops;
    this.sequence = sequence;
    this.layout = sequence.layout();
    this.part = part;
    this.columns = columns;
    keyDim = layout.kv(part).keyDim();
    valueDim = layout.kv(part).valueDim();
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
      var keys =
          floats(memory, page, layout.keysAt(part, positions.head()), PAGE * keyDim, scratch);
      Gemm.multiply(
          ops, memory, queries, keyDim, keys, 0, PAGE, memory, at, columns, m, n, keyDim, false);
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
      var page = sequence.page(positions.page() + i);
      if (layout.hasScales()) {
        mulRows(memory, at, m, n, page, layout.valueScalesAt(part, positions.head()));
      }
      var values =
          floats(memory, page, layout.valuesAt(part, positions.head()), n * valueDim, scratch);
      Gemm.multiply(
          ops, memory, at, columns, values, 0, valueDim, memory, to, valueDim, m, valueDim, n,
          true);
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
    if (layout.dtype() == DType.Plain.F32) {
      return page.asSlice(from);
    }
    Unpack.toFloat(layout.dtype(), page, from, memory, scratch, count);
    return memory.asSlice(scratch);
  }
}
