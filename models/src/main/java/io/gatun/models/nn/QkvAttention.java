package io.gatun.models.nn;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.List;

/// Self-attention as CLIP's layers have it: one product makes queries, keys and values.
public record QkvAttention(int heads, LinearWeight qkvProj, LinearWeight outProj) {
  /// Layers `q_proj`, `k_proj`, `v_proj` and `out_proj` of `d` channels.
  public static QkvAttention of(Weights weights, long d, int heads) {
    return new QkvAttention(
        heads,
        weights.linears(List.of("q_proj", "k_proj", "v_proj"), d, d, true),
        weights.linear("out_proj", d, d));
  }

  /// softmax(q k^T scale) v Wout + residual, all (B, S, D)
  public Tensor forward(Functional f, Tensor x, AttentionSpec spec, Tensor residual) {
    long d = x.dim(2);
    var qkv = f.linear(x, qkvProj); // (B, S, 3 D)
    var y =
        f.attention(
            qkv.slice(2, 0, d), qkv.slice(2, d, 2 * d), qkv.slice(2, 2 * d, 3 * d), heads, spec);
    return f.linear(y, outProj, Epilogue.add(residual));
  }
}
