package io.gatun.tensor.ops.linear;

import io.gatun.tensor.ops.context.Scratch;

/// A plan that takes rows of the weight (N, K) as they lie, and makes as many columns of the result
/// (T, N), F32.
sealed interface RowPlan extends LinearPlan
    permits TiledPlan,
        PanelPlan,
        UnpackedPlan,
        StoredPlan,
        DotPlan,
        GatedPlan,
        PlanAround,
        ScaledPlan {
  /// Weight rows of a task, unless a plan says otherwise.
  int BLOCK = 128;

  /// N.
  long weightRows();

  /// Weight rows of a task, a multiple or a fraction of [#BLOCK].
  default int block() {
    return BLOCK;
  }

  /// Handles the weight's rows `from` .. `to`-1. `from` is a multiple of [#block], and so is `to`
  /// unless it is N.
  void multiply(int worker, Scratch scratch, long from, long to);

  @Override
  default long tasks() {
    return Math.ceilDiv(weightRows(), (long) block());
  }

  @Override
  default void run(int worker, Scratch scratch, long from, long to) {
    multiply(worker, scratch, from * block(), Math.min(weightRows(), to * block()));
  }
}
