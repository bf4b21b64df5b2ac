package io.gatun.models.vae;

import io.gatun.models.nn.GroupNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.List;

/// Attention of one head among the pixels at the autoencoder's bottom.
final class VaeAttention {
  private final GroupNorm groupNorm;
  private final LinearWeight toQkv;
  private final LinearWeight toOut;

  VaeAttention(Weights weights, int channels, int groups, float eps) {
    groupNorm = weights.groupNorm("group_norm", groups, channels, eps);
    // Autoencoders that are older than the attention module of other networks name it otherwise.
    boolean old = weights.has("query.weight");
    toQkv =
        weights.linears(
            old ? List.of("query", "key", "value") : List.of("to_q", "to_k", "to_v"),
            channels,
            channels,
            true);
    toOut = weights.linear(old ? "proj_attn" : "to_out.0", channels, channels);
  }

  /// x + softmax(q k^T / sqrt(C)) v Wout, where q, k, v come from norm(x): x (B, H, W, C).
  Tensor forward(Functional f, Tensor x) {
    return Scoped.call(
        f,
        () -> {
          long c = x.dim(3);
          var tokens =
              groupNorm
                  .forward(f, x, Activation.NONE)
                  .reshape(x.dim(0), x.dim(1) * x.dim(2), c); // (B, H W, C)
          var qkv = f.linear(tokens, toQkv); // (B, H W, 3 C)
          var y =
              f.attention(
                  qkv.slice(2, 0, c),
                  qkv.slice(2, c, 2 * c),
                  qkv.slice(2, 2 * c, 3 * c),
                  1,
                  AttentionSpec.full((float) (1 / Math.sqrt(c))));
          return f.linear(y.reshape(x.shape().dims()), toOut, Epilogue.add(x));
        });
  }
}
