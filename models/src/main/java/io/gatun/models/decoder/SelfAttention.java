package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.KvLayout;
import io.gatun.tensor.ops.Ops;

/// Grouped-query self-attention (Ainslie et al. 2023).
///
/// @param qNorm of each head, or, if its weight is as wide, of all heads together
/// @param rope null for a layer that knows no positions
public record SelfAttention(
    Heads heads,
    Projections projections,
    Norm qNorm,
    Norm kNorm,
    RotaryEmbedding rope,
    AttentionSpec spec)
    implements TokenMixer {
  /// How many heads there are.
  ///
  /// @param query H
  /// @param keyValue G
  /// @param dim C
  public record Heads(int query, int keyValue, int dim) {}

  /// The linear layers of queries, keys, values and output.
  public record Projections(Linear q, Linear k, Linear v, Linear o) {}

  @Override
  public KvLayout state() {
    return new KvLayout(heads.keyValue, heads.dim, heads.dim, spec.window());
  }

  /// q, k, v = x Wq, x Wk, x Wv; q, k = rope(norm(q)), rope(norm(k)) softmax(q K^T scale) V Wo, K
  /// and V being all the cache holds
  @Override
  public Tensor forward(Ops ops, Activations x, Step step) {
    long t = x.rows();
    long c = heads.dim;
    var qkv = Linear.forward(ops, x, projections.q, projections.k, projections.v);
    var q = normed(ops, qNorm, qkv[0]).reshape(t, heads.query, c); // (T, H, C)
    var k = normed(ops, kNorm, qkv[1]).reshape(t, heads.keyValue, c); // (T, G, C)
    var v = qkv[2].reshape(t, heads.keyValue, c);
    if (rope != null) {
      var table = step.table(rope);
      ops.rope(q, table.queryCos(), table.querySin(), rope.interleaved());
      ops.rope(k, table.cos(), table.sin(), rope.interleaved());
    }
    step.put(ops, this, k, v);
    var y = step.attention(ops, this, q, spec);
    return projections.o.forward(ops, y.reshape(t, heads.query * c)); // (T, D)
  }

  private static Tensor normed(Ops ops, Norm norm, Tensor x) {
    return norm instanceof Norm.Rms(Tensor weight, float _)
        ? norm.of(ops, x.reshape(x.size() / weight.size(), weight.size()))
        : norm.of(ops, x);
  }
}
