package io.gatun.tensor.ops.linear;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.kernel.scalar.Kernels;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Scratch;
import io.gatun.tensor.ops.context.WeightRows;
import java.lang.foreign.MemorySegment;

/// Weights of any type, a row at a time: unpacked to F32 where they are not, then one dot product
/// for each activation row.
final class DotPlan implements RowPlan {
  private final Backend backend;
  private final Kernels kernels;
  private final Input x;
  private final Tensor w;
  private final Tensor out;
  private final MemorySegment input;

  DotPlan(Context ctx, Input x, Tensor w, Tensor out) {
    this.w = w;
    this.out = out;
    this.backend = ctx.backend();
    this.kernels = ctx.kernels();
    this.x = x;
    input = x.f32();
  }

  @Override
  public long weightRows() {
    return w.dim(0);
  }

  @Override
  public long scratchBytes() {
    return 4L * x.columns();
  }

  @Override
  public void multiply(int worker, Scratch scratch, long from, long to) {
    int k = x.columns();
    long n = out.dim(1);
    boolean f32 = w.dtype() == DType.Plain.F32;
    MemorySegment row = f32 ? w.segment() : scratch.memory();
    for (long j = from; j < to; j++) {
      if (!f32) {
        WeightRows.toFloat(backend, w, j, 1, row, scratch.at());
      }
      long at = f32 ? 4 * j * k : scratch.at();
      for (long t = 0; t < x.rows(); t++) {
        float dot = kernels.dot(input, 4 * t * k, row, at, k);
        Floats.set(out.segment(), 0, t * n + j, dot);
      }
    }
  }
}
