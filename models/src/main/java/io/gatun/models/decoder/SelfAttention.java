package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.sequence.KvLayout;
import io.gatun.tensor.sequence.LayerState;
import java.util.Objects;
import java.util.stream.Stream;

/// Grouped-query self-attention (Ainslie et al. 2023).
///
/// @param qNorm of each head, or, if its weight is as wide, of all heads together
/// @param vNorm of each head's values
/// @param rope null for a layer that knows no positions
/// @param source the layer whose keys and values it reads, which has no other mixer; -1 for its own
public record SelfAttention(
    Heads heads,
    Projections projections,
    Norm qNorm,
    Norm kNorm,
    Norm vNorm,
    RotaryEmbedding rope,
    AttentionSpec spec,
    int source)
    implements TokenMixer {
  /// How many heads there are.
  ///
  /// @param query H
  /// @param keyValue G
  /// @param dim C
  public record Heads(int query, int keyValue, int dim) {}

  /// Without norms.
  public static SelfAttention of(
      Heads heads, Projections projections, RotaryEmbedding rope, AttentionSpec spec) {
    return new SelfAttention(heads, projections, Norm.none(), Norm.none(), rope, spec);
  }

  /// The linear layers of queries, keys, values and output.
  ///
  /// @param k null where another layer's keys and values are read
  /// @param v null there, too, and where values are the keys before norm and rotation
  public record Projections(Linear q, Linear k, Linear v, Linear o) {
    private Linear[] ofInput() {
      return Stream.of(q, k, v).filter(Objects::nonNull).toArray(Linear[]::new);
    }
  }

  /// With keys and values of its own, the latter as they come.
  public SelfAttention(
      Heads heads,
      Projections projections,
      Norm qNorm,
      Norm kNorm,
      RotaryEmbedding rope,
      AttentionSpec spec) {
    this(heads, projections, qNorm, kNorm, Norm.none(), rope, spec, -1);
  }

  @Override
  public LayerState state() {
    return source >= 0
        ? new LayerState.SharedWith(source)
        : new KvLayout(heads.keyValue, heads.dim, heads.dim, spec.window());
  }

  /// q, k, v = x Wq, x Wk, x Wv; q, k, v = rope(norm(q)), rope(norm(k)), norm(v)
  ///
  /// softmax(q K^T scale) V Wo, K and V being all the cache holds
  ///
  /// Where Wq has twice the rows, the second half of each head is a gate g: sigmoid(g) times what
  /// the head finds (Qiu et al. 2025, "Gated attention").
  @Override
  public Tensor forward(Ops ops, Activations x, Step step) {
    long t = x.rows();
    long c = heads.dim;
    var qkv = Linear.forward(ops, x, projections.ofInput());
    boolean gated = projections.q.rows() == 2 * heads.query * heads.dim;
    var queries =
        gated
            ? Linear.parts(ops, qkv[0], heads.query, heads.dim, heads.dim)
            : new Tensor[] {qkv[0]};
    var q = normed(ops, qNorm, queries[0]).reshape(t, heads.query, c); // (T, H, C)
    var table = rope == null ? null : step.table(rope);
    if (rope != null) {
      ops.rope(q, table.queryCos(), table.querySin(), rope.interleaved());
    }
    if (source < 0) {
      var v = normed(ops, vNorm, qkv[qkv.length - 1]).reshape(t, heads.keyValue, c);
      var k = normed(ops, kNorm, qkv[1]).reshape(t, heads.keyValue, c); // (T, G, C)
      if (rope != null) {
        ops.rope(k, table.cos(), table.sin(), rope.interleaved());
      }
      step.put(ops, this, k, v);
    }
    var y = step.attention(ops, this, q, spec);
    var found = y.reshape(t, heads.query * c);
    if (gated) {
      ops.sigmoidMulInPlace(queries[1], found);
      found = queries[1];
    }
    return projections.o.forward(ops, found); // (T, D)
  }

  private static Tensor normed(Ops ops, Norm norm, Tensor x) {
    return norm instanceof Norm.Rms(Tensor weight, float _)
        ? norm.of(ops, x.reshape(x.size() / weight.size(), weight.size()))
        : norm.of(ops, x);
  }
}
