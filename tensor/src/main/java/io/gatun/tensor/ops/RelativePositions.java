package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Check;

/// Decomposed relative positions (Li et al. 2022, MViTv2, as SAM's image encoder uses them):
/// queries and keys are the cells of one grid of gridHeight x gridWidth, row by row, and the score
/// of query (i, j) and key (m, n) gets the products of q, not scaled, with two rows: `height[i - m
/// + gridHeight - 1]` and `width[j - n + gridWidth - 1]`.
///
/// @param height (2 gridHeight - 1, C) F32, shared by all heads
/// @param width (2 gridWidth - 1, C) F32
public record RelativePositions(Tensor height, Tensor width, int gridHeight, int gridWidth) {
  public RelativePositions {
    Check.same("relative positions in height", height.dim(0), "2 * height - 1", 2 * gridHeight - 1);
    Check.same("relative positions in width", width.dim(0), "2 * width - 1", 2 * gridWidth - 1);
  }
}
