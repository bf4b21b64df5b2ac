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
        FinishedPlan,
        OffsetPlan,
        ScaledPlan {
  /// Weight rows that a worker takes at least: four tiles, which the kernels handle together.
  int BLOCK = 128;

  /// N.
  long weightRows();

  /// Handles the weight's rows `from` .. `to`-1. `from` is a multiple of [#BLOCK], and so is `to`
  /// unless it is N.
  void multiply(int worker, Scratch scratch, long from, long to);

  @Override
  default long tasks() {
    return Math.ceilDiv(weightRows(), (long) BLOCK);
  }

  @Override
  default void run(int worker, Scratch scratch, long from, long to) {
    multiply(worker, scratch, from * BLOCK, Math.min(weightRows(), to * BLOCK));
  }
}
