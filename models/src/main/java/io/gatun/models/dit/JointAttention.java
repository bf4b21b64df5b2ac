package io.gatun.models.dit;

import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// Attention among the tokens of a text and an image, each of which has weights of its own (Esser
/// et al. 2024, arXiv:2403.03206, section 4, MM-DiT).
final class JointAttention {
  private final int heads;
  private final Projections image;
  private final Projections text;
  private final LinearWeight toOut;
  private final LinearWeight toAddOut;

  /// @param withText whether the text sees, too, and not only is seen
  JointAttention(Weights weights, int d, int heads, boolean bias, boolean norms, boolean withText) {
    this.heads = heads;
    image = Projections.ofImage(weights, d, d / heads, bias, norms);
    text = Projections.ofText(weights, d, d / heads, bias, norms);
    toOut = Linears.of(weights, "to_out.0", d, d, bias);
    toAddOut = withText ? Linears.of(weights, "to_add_out", d, d, bias) : null;
  }

  /// What text (S, D) and image (T, D) see of each other: (S + T, D), before the projections out.
  ///
  /// @param rope of all tokens, the text's first; null for none
  Tensor forward(Functional f, Tensor context, Tensor x, AxialRope.Table rope) {
    return Scoped.call(
        f,
        () -> {
          var q = Rows.join(f, text.queries(f, context), image.queries(f, x)); // (S + T, D)
          var k = Rows.join(f, text.keys(f, context), image.keys(f, x));
          var v = Rows.join(f, text.values(f, context), image.values(f, x));
          return rope == null
              ? Heads.attention(f, q, k, v, heads)
              : Heads.attention(f, rope.turn(f, q, null), rope.turn(f, k, null), v, heads);
        });
  }

  /// The image's part of the result, projected.
  Tensor imageOut(Functional f, Tensor seen) {
    return f.linear(seen, toOut);
  }

  /// The text's part of the result, projected.
  Tensor textOut(Functional f, Tensor seen) {
    return f.linear(seen, toAddOut);
  }
}
