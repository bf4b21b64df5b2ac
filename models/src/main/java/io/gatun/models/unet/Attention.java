package io.gatun.models.unet;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.List;

/// Multi-head attention (Vaswani et al. 2017) of an image's tokens over each other.
final class Attention {
  private final int heads;
  private final LinearWeight toQkv;
  private final LinearWeight toOut;

  Attention(Weights weights, int channels, int heads) {
    this.heads = heads;
    toQkv = weights.linears(List.of("to_q", "to_k", "to_v"), channels, channels, false);
    toOut = weights.linear("to_out.0", channels, channels);
  }

  /// h += softmax(q k^T / sqrt(C / heads)) v Wout, of x: h and x (B, T, C).
  void addTo(Functional f, Tensor h, Tensor x) {
    long c = x.dim(2);
    var qkv = f.linear(x, toQkv); // (B, T, 3 C)
    var y =
        f.attention(
            qkv.slice(2, 0, c),
            qkv.slice(2, c, 2 * c),
            qkv.slice(2, 2 * c, 3 * c),
            heads,
            AttentionSpec.full(scale(c, heads)));
    f.addLinear(h, y, toOut);
  }

  static float scale(long channels, int heads) {
    return (float) (1 / Math.sqrt((double) channels / heads));
  }
}
