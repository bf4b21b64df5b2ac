package io.gatun.tensor.ops;

import io.gatun.tensor.ops.context.Scratch;

/// One way to multiply activations with the rows of a weight: the kernels of one kind of weight
/// type, number of activation rows and backend.
///
/// The result (T, N) gets in its columns `from` .. `to`-1 the products with those rows of the
/// weight (N, K). `from` is a multiple of [#BLOCK], and so is `to` unless it is N. Different
/// workers call at once, for different rows.
interface RowProduct {
  /// Weight rows that a worker takes at least: four tiles, which the kernels handle together.
  int BLOCK = 128;

  /// The bytes of scratch memory that a worker needs.
  default long scratchBytes() {
    return 0;
  }

  /// Handles the weight's rows `from` .. `to`-1.
  void multiply(Scratch scratch, long from, long to);
}
