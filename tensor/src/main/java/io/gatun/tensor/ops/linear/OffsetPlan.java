package io.gatun.tensor.ops.linear;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Scratch;

/// A plan for a matrix's numbers times scales, and what offsets of groups add: those times the sums
/// of the groups' activations.
///
/// @param plan writes to `out` (T, N)
/// @param sums (T, G) F32
/// @param offsets (G, N) F32
record OffsetPlan(Context ctx, RowPlan plan, Tensor sums, Tensor offsets, Tensor out)
    implements RowPlan {
  @Override
  public long weightRows() {
    return plan.weightRows();
  }

  @Override
  public long scratchBytes() {
    return plan.scratchBytes();
  }

  @Override
  public void multiply(int worker, Scratch scratch, long from, long to) {
    plan.multiply(worker, scratch, from, to);
    long groups = offsets.dim(0);
    for (long t = 0; t < out.dim(0); t++) {
      for (long g = 0; g < groups; g++) {
        ctx.kernels()
            .addScaled(
                offsets.segment(),
                4 * (g * offsets.stride(0) + from),
                Floats.get(sums.segment(), 0, t * groups + g),
                to - from,
                out.segment(),
                4 * (t * out.dim(1) + from));
      }
    }
  }
}
