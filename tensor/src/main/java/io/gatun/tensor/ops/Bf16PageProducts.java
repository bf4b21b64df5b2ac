package io.gatun.tensor.ops;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.PostOp;
import io.gatun.ffm.WeightLayout;
import io.gatun.tensor.kernel.dense.AttentionScores;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.kernel.scalar.Kernels;
import io.gatun.tensor.ops.context.Context;
import java.lang.foreign.MemorySegment;

/// Products of attention with everything rounded to BF16, through oneDNN, one for all pages of a
/// call; sums are F32.
final class Bf16PageProducts implements PageProducts {
  private static final int PAGE = SequenceLayout.PAGE;

  private final Kernels kernels;
  private final Sequence sequence;
  private final SequenceLayout layout;
  private final int part;
  private final int keyDim;
  private final int valueDim;
  private final int rows;
  private final int columns;

  Bf16PageProducts(Context ctx, Sequence sequence, int part, int rows, int columns) {
    this.kernels = ctx.kernels();
    this.sequence = sequence;
    this.layout = sequence.layout();
    this.part = part;
    this.rows = rows;
    this.columns = columns;
    keyDim = layout.kv(part).keyDim();
    valueDim = layout.kv(part).valueDim();
  }

  /// A worker's scratch: keys (K, columns) or values (columns, V); queries (rows, K) and weights
  /// (rows, columns), all BF16; a row of keys or values as F32.
  @Override
  public long scratchBytes() {
    return floats() + 4L * Math.max(PAGE, valueDim);
  }

  private long queries() {
    return 2L * columns * Math.max(keyDim, valueDim);
  }

  private long weights() {
    return queries() + 2L * rows * keyDim;
  }

  private long floats() {
    return weights() + 2L * rows * columns;
  }

  @Override
  public void prepareQueries(MemorySegment memory, long queries, int m, long scratch) {
    Unpack.floatToBf16(memory, queries, memory, scratch + queries(), (long) m * keyDim);
  }

  @Override
  public void scores(
      MemorySegment memory, long queries, int m, Positions positions, long to, long scratch) {
    long head = layout.keysAt(part, positions.head());
    for (int i = 0; i < positions.pages(); i++) {
      var page = sequence.page(positions.page() + i);
      for (int row = 0; row < keyDim; row++) {
        long at = scratch + 2L * (row * columns + i * PAGE);
        if (layout.hasScales()) {
          long floats = scratch + floats();
          Unpack.toFloat(layout.dtype(), page, head + (long) row * PAGE, memory, floats, PAGE);
          long scales = layout.keyScalesAt(part, positions.head());
          kernels.mul(memory, floats, page, scales, PAGE, memory, floats);
          Unpack.floatToBf16(memory, floats, memory, at, PAGE);
        } else {
          round(page, head, row * PAGE, memory, at, PAGE);
        }
      }
    }
    var spec = spec(m, positions.n(), keyDim, keyDim, columns, columns);
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
    long head = layout.valuesAt(part, positions.head());
    for (int i = 0; i < positions.pages(); i++) {
      var page = sequence.page(positions.page() + i);
      long at = scratch + 2L * i * PAGE * valueDim;
      if (layout.hasScales()) {
        for (int row = 0; row < positions.inPage(i); row++) {
          long floats = scratch + floats();
          Unpack.toFloat(
              layout.dtype(), page, head + (long) row * valueDim, memory, floats, valueDim);
          float scale = Floats.get(page, layout.valueScalesAt(part, positions.head()), row);
          kernels.scale(memory, floats, scale, valueDim, memory, floats);
          Unpack.floatToBf16(memory, floats, memory, at + 2L * row * valueDim, valueDim);
        }
      } else {
        round(page, head, 0, memory, at, positions.inPage(i) * valueDim);
      }
    }
    var spec =
        spec(m, valueDim, positions.n(), columns, valueDim, valueDim)
            .withPostOps(PostOp.ACCUMULATE);
    multiply(spec, memory, scratch + weights(), scratch, to);
  }

  /// Rounds `count` elements from the `first` of a head's on, which are F32, F16 or BF16.
  private void round(
      MemorySegment page, long head, int first, MemorySegment memory, long at, int count) {
    var type = layout.dtype();
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
