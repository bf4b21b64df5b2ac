package io.gatun.tensor.ops.linear;

import io.gatun.tensor.DType;
import io.gatun.tensor.Dequantization;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scaled.ByteDots;
import io.gatun.tensor.kernel.scaled.CodeDots;
import io.gatun.tensor.ops.context.Scratch;
import java.lang.foreign.MemorySegment;

/// Weights that have their scales beside them, in their file's own format, a row at a time, times a
/// few activation rows, without unpacking.
final class ScaledPlan implements RowPlan {
  private final Tensor w;
  private final Tensor out;
  private final Dequantization how;
  private final MemorySegment x;
  private final int rows;
  private final int k;
  private final long xBytes;

  ScaledPlan(Input x, Tensor w, Tensor out) {
    this.w = w;
    this.out = out;
    how = w.dequantization();
    rows = x.rows();
    k = x.columns();
    boolean codes = !ByteDots.supports(w.dtype());
    this.x = codes ? x.inCodeOrder(w.dtype() == DType.Block.CODE4) : x.f32();
    xBytes = 4L * (codes ? CodeDots.orderedColumns(k) : k);
  }

  /// Whether there is a kernel for the weight.
  static boolean supports(Tensor w) {
    var how = w.dequantization();
    if (how == null || how.scales() == null || how.offsets() != null || how.order() != null) {
      return false;
    }
    int group = how.scaleGroup();
    DType scales = how.scales().dtype();
    long columns = w.dim(1);
    if (ByteDots.supports(w.dtype())) {
      return scales == DType.Plain.F32
          && how.factor() == 1
          && columns % ByteDots.STEP == 0
          && group % ByteDots.STEP == 0;
    }
    if (!CodeDots.AVAILABLE || columns % CodeDots.STEP != 0) {
      return false;
    }
    if (w.dtype() == DType.Plain.F4) {
      return scales == DType.Plain.F8_E4M3 && group == 16;
    }
    return w.dtype() == DType.Block.CODE4
        && scales == DType.Plain.F32
        && how.factor() == 1
        && group % (CodeDots.STEP / 2) == 0
        && columns % group == 0;
  }

  @Override
  public long weightRows() {
    return w.dim(0);
  }

  @Override
  public void multiply(int worker, Scratch scratch, long from, long to) {
    var weights = w.segment();
    var scales = how.scales().segment();
    var y = out.segment();
    for (long t = 0; t < rows; t++) {
      long at = t * xBytes;
      long yAt = 4 * t * out.dim(1);
      if (ByteDots.supports(w.dtype())) {
        int group = how.scaleGroup();
        ByteDots.multiply(w.dtype(), weights, scales, k, group, x, at, from, to, y, yAt);
      } else if (w.dtype() == DType.Plain.F4) {
        CodeDots.nvfp4(weights, scales, how.factor(), k, x, at, from, to, y, yAt);
      } else {
        var levels = how.levels().segment();
        CodeDots.codes(weights, scales, levels, k, how.scaleGroup(), x, at, from, to, y, yAt);
      }
    }
  }
}
