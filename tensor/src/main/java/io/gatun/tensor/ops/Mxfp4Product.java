package io.gatun.tensor.ops;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Mxfp4;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Scratch;
import java.lang.foreign.MemorySegment;

/// Weights in MXFP4, in place, a dot product for each activation row.
final class Mxfp4Product implements RowProduct {
  private final DType.Block type;
  private final Tensor w;
  private final MemorySegment scales;
  private final MemorySegment x;
  private final Tensor out;
  private final int rows;
  private final int columns;

  Mxfp4Product(Context ctx, Activations x, Tensor w, Tensor out) {
    this.w = w;
    this.out = out;
    type = (DType.Block) w.dtype();
    rows = x.rows();
    columns = x.columns();
    scales = w.scales() == null ? MemorySegment.NULL : w.scales().segment();
    this.x = type == DType.Block.MXFP4 ? x.f32() : split(ctx, x.f32(), (long) rows * columns);
  }

  private static MemorySegment split(Context ctx, MemorySegment x, long n) {
    var out = ctx.workspace().take(4 * n);
    Mxfp4.split(x, 0, out, 0, n);
    return out;
  }

  static boolean supports(Tensor w) {
    return w.dtype() == DType.Block.MXFP4 || w.dtype() == DType.Block.MXFP4_PAIRS;
  }

  @Override
  public void multiply(Scratch scratch, long from, long to) {
    for (long t = 0; t < rows; t++) {
      long at = 4 * t * columns;
      var y = out.segment();
      Mxfp4.multiply(type, w.segment(), scales, columns, x, at, from, to, y, 4 * t * out.dim(1));
    }
  }
}
