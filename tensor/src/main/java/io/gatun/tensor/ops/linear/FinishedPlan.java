package io.gatun.tensor.ops.linear;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Scratch;
import io.gatun.tensor.ops.rows.F32Epilogue;

/// A plan, and what follows a product, some columns at a time while they are in the caches.
///
/// @param plan writes to `sums` (T, n)
/// @param first the column of the result that is the first of `sums`
record FinishedPlan(RowPlan plan, Tensor sums, F32Epilogue rest, int first) implements PlanAround {
  @Override
  public void multiply(int worker, Scratch scratch, long from, long to) {
    plan.multiply(worker, scratch, from, to);
    int rows = Math.toIntExact(sums.dim(0));
    int column = Math.toIntExact(first + from);
    int columns = Math.toIntExact(to - from);
    rest.store(worker, sums.segment(), 4 * from, sums.dim(1), 0, rows, column, columns);
  }
}
