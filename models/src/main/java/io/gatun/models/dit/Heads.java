package io.gatun.models.dit;

import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Functional;

/// Attention of several heads among the tokens of one image.
final class Heads {
  private Heads() {}

  /// softmax(q k^T / sqrt(D / N)) v: q (T, D), k and v (S, D), perhaps with gaps between rows;
  /// result (T, D).
  static Tensor attention(Functional f, Tensor q, Tensor k, Tensor v, int heads) {
    long d = q.dim(1);
    var spec = AttentionSpec.full((float) (1 / Math.sqrt((double) d / heads)));
    return f.attention(batch(q), batch(k), batch(v), heads, spec).reshape(q.dim(0), d);
  }

  /// One image is a batch.
  private static Tensor batch(Tensor x) {
    return Tensor.strided(
        x.segment(),
        x.dtype(),
        Shape.of(1, x.dim(0), x.dim(1)),
        x.dim(0) * x.stride(0),
        x.stride(0),
        1);
  }
}
