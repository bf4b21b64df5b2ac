package io.gatun.tensor.ops.linear;

import io.gatun.tensor.Dequantization.LowRank;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Scratch;
import java.util.List;

/// A plan for a matrix as it is, and what one of low rank adds: the input times the thin matrix
/// `down`, which is little work and done at once, times `up`.
///
/// @param plan writes to `out` (T, N)
/// @param inner (T, R) F32: x down^T
/// @param up (R, N) F32
record LowRankPlan(Context ctx, RowPlan plan, Tensor inner, Tensor up, Tensor out)
    implements PlanAround {
  static LowRankPlan of(Context ctx, RowPlan plan, Input x, LowRank added, Tensor out) {
    var inner = Linear.apply(ctx, List.of(x), List.of(added.down()))[0];
    return new LowRankPlan(ctx, plan, inner, added.up(), out);
  }

  @Override
  public void multiply(int worker, Scratch scratch, long from, long to) {
    plan.multiply(worker, scratch, from, to);
    long rank = inner.dim(1);
    for (long t = 0; t < out.dim(0); t++) {
      for (long r = 0; r < rank; r++) {
        ctx.kernels()
            .addScaled(
                up.segment(),
                4 * (r * up.stride(0) + from),
                Floats.get(inner.segment(), 0, t * rank + r),
                to - from,
                out.segment(),
                4 * (t * out.dim(1) + from));
      }
    }
  }
}
