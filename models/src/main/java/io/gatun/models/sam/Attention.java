package io.gatun.models.sam;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// The mask decoder's attention after its inputs were projected, perhaps to fewer channels.
record Attention(LinearWeight outProj, int heads, float scale) {
  /// @param internalDim channels of the projected inputs
  Attention(Weights weights, long embeddingDim, long internalDim, int heads) {
    this(
        weights.linear("out_proj", embeddingDim, internalDim),
        heads,
        (float) (1 / Math.sqrt((double) internalDim / heads)));
  }

  /// softmax(q k^T / sqrt(C)) v Wout, and `epilogue`: q (B, T, I), k and v (B, S, I), result (B, T,
  /// D).
  ///
  /// Where either q, or k and v, are for one batch only, they serve all batches of the other.
  Tensor forward(Functional f, Tensor q, Tensor k, Tensor v, Epilogue epilogue) {
    return f.linear(attend(f, q, k, v), outProj, epilogue);
  }

  private Tensor attend(Functional f, Tensor q, Tensor k, Tensor v) {
    if (q.dim(0) > 1 && k.dim(0) == 1) {
      // Rows of q do not see each other, so that all batches can be one.
      var flat = q.reshape(1, q.dim(0) * q.dim(1), q.dim(2));
      return f.attention(flat, k, v, heads, AttentionSpec.full(scale)).reshape(q.shape().dims());
    }
    return f.attention(repeated(q, k.dim(0)), k, v, heads, AttentionSpec.full(scale));
  }

  /// A view of x (1, T, I) as (batch, T, I).
  private static Tensor repeated(Tensor x, long batch) {
    return x.dim(0) == batch
        ? x
        : Tensor.strided(
            x.segment(),
            x.dtype(),
            Shape.of(batch, x.dim(1), x.dim(2)),
            0,
            x.stride(1),
            x.stride(2));
  }
}
