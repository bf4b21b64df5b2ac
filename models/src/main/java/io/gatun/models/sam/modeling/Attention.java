package io.gatun.models.sam.modeling;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// The mask decoder's attention, which projects its inputs, perhaps to fewer channels, and projects
/// its result back.
///
/// Of the image an attention takes what an [ImageProjection] made of it together with what others
/// need, and its projection then is a part of that.
final class Attention {
  /// What makes q, k or v of an input.
  @FunctionalInterface
  private interface Projection {
    Tensor of(Functional f, Tensor x);
  }

  private final Projection q;
  private final Projection k;
  private final Projection v;
  private final LinearWeight outProj;
  private final int heads;
  private final float scale;

  /// @param internalDim channels of the projected inputs
  private Attention(
      Weights weights,
      long embeddingDim,
      long internalDim,
      int heads,
      Projection q,
      Projection k,
      Projection v) {
    this.q = q;
    this.k = k;
    this.v = v;
    this.heads = heads;
    outProj = weights.linear("out_proj", embeddingDim, internalDim);
    scale = (float) (1 / Math.sqrt((double) internalDim / heads));
  }

  /// Tokens that look at themselves.
  static Attention ofTokens(Weights weights, long dim, int heads) {
    return new Attention(
        weights,
        dim,
        dim,
        heads,
        linear(weights, "q_proj", dim, dim),
        linear(weights, "k_proj", dim, dim),
        linear(weights, "v_proj", dim, dim));
  }

  /// Tokens that look at the image, of which k and v are the parts 0 and 1 of its projection.
  static Attention tokenToImage(
      Weights weights, long dim, long internalDim, int heads, ImageProjection image) {
    return new Attention(
        weights,
        dim,
        internalDim,
        heads,
        linear(weights, "q_proj", internalDim, dim),
        (_, x) -> image.part(x, 0),
        (_, x) -> image.part(x, 1));
  }

  /// The image that looks at tokens; its q is part 2 of its projection.
  static Attention imageToToken(
      Weights weights, long dim, long internalDim, int heads, ImageProjection image) {
    return new Attention(
        weights,
        dim,
        internalDim,
        heads,
        (_, x) -> image.part(x, 2),
        linear(weights, "k_proj", internalDim, dim),
        linear(weights, "v_proj", internalDim, dim));
  }

  private static Projection linear(Weights weights, String name, long out, long in) {
    var weight = weights.linear(name, out, in);
    return (f, x) -> f.linear(x, weight);
  }

  /// softmax(q k^T / sqrt(C)) v Wout, and `epilogue`, of the projected inputs: q (B, T, D), k and v
  /// (B, S, D), each of them or the image's projection; result (B, T, D).
  ///
  /// Where either q, or k and v, are for one batch only, they serve all batches of the other.
  Tensor forward(Functional f, Tensor q, Tensor k, Tensor v, Epilogue epilogue) {
    var attended = attend(f, this.q.of(f, q), this.k.of(f, k), this.v.of(f, v));
    return f.linear(attended, outProj, epilogue);
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
