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
  private final LayerNorm norm3;
  private final FeedForward ff;

  BasicTransformerBlock(Weights weights, int channels, int contextDim, int heads) {
    norm1 = weights.layerNorm("norm1", channels, EPS);
    attn1 = new Attention(weights.at("attn1"), channels, heads);
    norm2 = weights.layerNorm("norm2", channels, EPS);
    attn2 = new CrossAttention(weights.at("attn2"), channels, contextDim, heads);
    norm3 = weights.layerNorm("norm3", channels, EPS);
    ff = new FeedForward(weights.at("ff"), channels);
  }

  CrossAttention crossAttention() {
    return attn2;
  }

  /// h += attn1(norm1(h)); h += attn2(norm2(h), text); h += ff(norm3(h)): h (B, T, C).
  void update(Functional f, Tensor h, Conditioning conditioning) {
    Scoped.run(f, () -> attn1.addTo(f, h, norm1.forward(f, h)));
    var text = conditioning.keysAndValues(attn2);
    Scoped.run(f, () -> attn2.addTo(f, h, norm2.forward(f, h), text));
    Scoped.run(f, () -> ff.addTo(f, h, norm3.forward(f, h)));
  }
}
