package io.gatun.tensor.ops.linear;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.BlockDots;
import io.gatun.tensor.kernel.ggml.Mxfp4;
import io.gatun.tensor.kernel.ggml.RowDots;
import io.gatun.tensor.kernel.scaled.CodeDots;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Scratch;
import java.lang.foreign.MemorySegment;

/// Weights in their file's own format, a row at a time, times a few activation rows, without
/// unpacking.
final class StoredPlan implements RowPlan {
  /// So many activation rows share the bytes that [BlockDots] makes of a row of weights; fewer are
  /// faster with what [RowDots] makes of it in registers, where that can.
  private static final int SHARING_ROWS = 3;

  private final Tensor w;
  private final Tensor out;
  private final MemorySegment x;
  private final int rows;
  private final int k;
  private final boolean codes;
  private final boolean blocks;
  private final long xBytes;
  private final MemorySegment scales;
  private final MemorySegment sums;

  StoredPlan(Context ctx, Input x, Tensor w, Tensor out) {
    this.w = w;
    this.out = out;
    rows = x.rows();
    k = x.columns();
    scales = w.scales() == null ? MemorySegment.NULL : w.scales().segment();
    boolean pairs = w.dtype() == DType.Block.MXFP4_PAIRS;
    codes = pairs && CodeDots.AVAILABLE && k >= CodeDots.STEP;
    this.x = codes ? x.inCodeOrder(false) : pairs ? split(ctx, x) : x.f32();
    boolean alone = rows < SHARING_ROWS && !ctx.rowsAlike() && RowDots.supports(w.dtype(), k);
    blocks = !alone && BlockDots.supports(w.dtype(), k);
    int minima = blocks ? BlockDots.minima((DType.Block) w.dtype(), k) : 0;
    sums = minima == 0 ? MemorySegment.NULL : x.groupSums(minima).segment();
    xBytes = 4L * (codes ? CodeDots.orderedColumns(k) : k);
  }

  private static MemorySegment split(Context ctx, Input x) {
    long n = (long) x.rows() * x.columns();
    var out = ctx.workspace().take(4 * n);
    Mxfp4.split(x.f32(), 0, out, 0, n);
    return out;
  }

  /// Whether there is a kernel for the weight.
  static boolean supports(Tensor w) {
    int k = Math.toIntExact(w.dim(1));
    return w.dequantization() == null
        && (isMxfp4(w) || BlockDots.supports(w.dtype(), k) || RowDots.supports(w.dtype(), k));
  }

  private static boolean isMxfp4(Tensor w) {
    return w.dtype() == DType.Block.MXFP4 || w.dtype() == DType.Block.MXFP4_PAIRS;
  }

  @Override
  public long scratchBytes() {
    return blocks ? BlockDots.scratchBytes(k) : 0;
  }

  @Override
  public long weightRows() {
    return w.dim(0);
  }

  @Override
  public void multiply(int worker, Scratch scratch, long from, long to) {
    var y = out.segment();
    if (blocks) {
      var type = (DType.Block) w.dtype();
      var memory = scratch.memory();
      long stride = 4 * out.dim(1);
      BlockDots.multiply(
          type, w.segment(), k, x, sums, rows, from, to, y, stride, memory, scratch.at());
      return;
    }
    for (long t = 0; t < rows; t++) {
      long at = t * xBytes;
      long yAt = 4 * t * out.dim(1);
      if (codes) {
        CodeDots.mxfp4(w.segment(), scales, k, x, at, from, to, y, yAt);
      } else if (isMxfp4(w)) {
        var type = (DType.Block) w.dtype();
        Mxfp4.multiply(type, w.segment(), scales, k, x, at, from, to, y, yAt);
      } else {
        RowDots.multiply(w.dtype(), w.segment(), 0, k, x, at, from, to, y, yAt);
      }
    }
  }
}
