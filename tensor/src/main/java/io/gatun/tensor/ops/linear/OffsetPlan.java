package io.gatun.tensor.ops.linear;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scaled.GroupOffsets;
import io.gatun.tensor.ops.context.Scratch;

/// A plan for a matrix's numbers times scales, and what offsets of groups add: those times the sums
/// of the groups' activations.
///
/// @param plan writes to `out` (T, N)
/// @param sums (T, G) F32
/// @param offsets (G, N) F32
record OffsetPlan(RowPlan plan, Tensor sums, Tensor offsets, Tensor out) implements PlanAround {
  @Override
  public void multiply(int worker, Scratch scratch, long from, long to) {
    plan.multiply(worker, scratch, from, to);
    var x = sums.segment();
    var y = out.segment();
    int groups = Math.toIntExact(offsets.dim(0));
    for (long t = 0; t < out.dim(0); t++) {
      long sumsAt = 4 * t * groups;
      long yAt = 4 * t * out.dim(1);
      GroupOffsets.add(offsets.segment(), offsets.stride(0), x, sumsAt, groups, from, to, y, yAt);
    }
  }
}
