package io.gatun.tensor.ops.linear;

/// A plan that has another one multiply, block by block, and goes on with what that made.
sealed interface PlanAround extends RowPlan permits FinishedPlan, OffsetPlan, LowRankPlan {
  RowPlan plan();

  @Override
  default long weightRows() {
    return plan().weightRows();
  }

  @Override
  default int block() {
    return plan().block();
  }

  @Override
  default long scratchBytes() {
    return plan().scratchBytes();
  }
}
