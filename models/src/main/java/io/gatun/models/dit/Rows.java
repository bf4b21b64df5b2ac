package io.gatun.models.dit;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;

/// Tokens of text and image, one below the other.
final class Rows {
  private Rows() {}

  /// (S, D) above (T, D): (S + T, D).
  static Tensor join(Functional f, Tensor above, Tensor below) {
    long d = above.dim(1);
    return f.concat(above.reshape(1, above.size()), below.reshape(1, below.size()))
        .reshape(above.dim(0) + below.dim(0), d);
  }

  /// Those from row `from` on.
  static Tensor after(Tensor tokens, long from) {
    return tokens.slice(0, from, tokens.dim(0));
  }
}
