package io.gatun.models.unet;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.List;

/// Multi-head attention of an image's tokens over a text's, whose keys and values are the same in
/// every step and made once.
final class CrossAttention {
  private final int heads;
  private final LinearWeight toQ;
  private final LinearWeight toKv;
  private final LinearWeight toOut;

  CrossAttention(Weights weights, int channels, int contextDim, int heads) {
    this.heads = heads;
    toQ = weights.linearWithoutBias("to_q", channels, channels);
    toKv = weights.linears(List.of("to_k", "to_v"), channels, contextDim, false);
    toOut = weights.linear("to_out.0", channels, channels);
  }

  /// The keys and values (B, S, 2 C) of context (B, S, D).
  Tensor keysAndValues(Functional f, Tensor context) {
    return f.linear(context, toKv);
  }

  /// h += softmax(q k^T / sqrt(C / heads)) v Wout, of x: h and x (B, T, C), keysAndValues (B, S, 2
  /// C).
  void addTo(Functional f, Tensor h, Tensor x, Tensor keysAndValues) {
    long c = x.dim(2);
    var y =
        f.attention(
            f.linear(x, toQ),
            keysAndValues.slice(2, 0, c),
            keysAndValues.slice(2, c, 2 * c),
            heads,
            AttentionSpec.full(Attention.scale(c, heads)));
    f.addLinear(h, y, toOut);
  }
}
