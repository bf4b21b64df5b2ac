package io.gatun.models.unet;

import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;

/// A transformer block: attention to the image, attention to the text, feed-forward.
final class BasicTransformerBlock {
  private static final float EPS = 1e-5f;

  private final LayerNorm norm1;
  private final Attention attn1;
  private final LayerNorm norm2;
  private final CrossAttention attn2;
  private final int condition;
  private final LayerNorm norm3;
  private final FeedForward ff;

  BasicTransformerBlock(
      Weights weights, int channels, int contextDim, int heads, Conditions conditions) {
    norm1 = weights.layerNorm("norm1", channels, EPS);
    attn1 = new Attention(weights.at("attn1"), channels, heads);
    norm2 = weights.layerNorm("norm2", channels, EPS);
    attn2 = new CrossAttention(weights.at("attn2"), channels, contextDim, heads);
    condition = conditions.add(attn2);
    norm3 = weights.layerNorm("norm3", channels, EPS);
    ff = new FeedForward(weights.at("ff"), channels);
  }

  /// h = x + attn1(norm1(x)); h = h + attn2(norm2(h), text); h + ff(norm3(h)): x (B, T, C).
  Tensor forward(Functional f, Tensor x, Conditioning conditioning) {
    return Scoped.call(
        f,
        () -> {
          var h = Scoped.call(f, () -> attn1.forward(f, norm1.forward(f, x), x));
          var text = conditioning.keysAndValues(condition);
          var g = Scoped.call(f, () -> attn2.forward(f, norm2.forward(f, h), text, h));
          return ff.forward(f, norm3.forward(f, g), g);
        });
  }
}
