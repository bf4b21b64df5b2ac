package io.gatun.models.decoder;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.sequence.KvLayout;
import java.lang.foreign.MemorySegment;

/// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434), which keeps of a position only a
/// latent c, shared by all heads, and one key that is rotated. What makes keys and values of the
/// latent is done to queries and results instead, so that they are never made.
///
/// @param queryLatent null where queries are made of x itself
/// @param latent the layer that makes the latent and the rotated key
/// @param keys what makes each head's keys of the latent: (H, N, R), or, if `turned`, (H, R, N)
/// @param values what makes its values: (H, V, R)
public record LatentAttention(
    Sizes sizes,
    Linear queryLatent,
    Norm queryNorm,
    Linear query,
    Linear latent,
    Norm latentNorm,
    Tensor keys,
    boolean turned,
    Tensor values,
    Linear output,
    RotaryEmbedding rope,
    AttentionSpec spec)
    implements TokenMixer {
  /// How large all is.
  ///
  /// @param heads H
  /// @param rank numbers of a latent, R
  /// @param plain numbers of a query that are not rotated, N
  /// @param rotated numbers of a query that are, P
  /// @param value numbers of a value, V
  public record Sizes(int heads, int rank, int plain, int rotated, int value) {}

  /// Norms within have it whatever the configuration says.
  private static final float EPS = 1e-6f;

  /// That of a layer. GGUF has what makes keys and what makes values apart, the former turned.
  ///
  /// @param d hidden size
  /// @param queryRank numbers of the latent that queries are made of, 0 for none
  public static LatentAttention of(
      DecoderWeights w, int d, Sizes s, int queryRank, RotaryEmbedding rope, AttentionSpec spec) {
    int h = s.heads;
    long q = (long) h * (s.plain + s.rotated);
    boolean split = w.has("k_b_proj.weight");
    var both = split ? null : w.stackedMatrices("kv_b_proj", h, s.plain + s.value, s.rank);
    return new LatentAttention(
        s,
        queryRank == 0 ? null : w.linear("q_a_proj", queryRank, d),
        queryRank == 0 ? Norm.none() : w.rmsNorm("q_a_layernorm", queryRank, EPS),
        queryRank == 0 ? w.linear("q_proj", q, d) : w.linear("q_b_proj", q, queryRank),
        w.linear("kv_a_proj_with_mqa", s.rank + s.rotated, d),
        w.rmsNorm("kv_a_layernorm", s.rank, EPS),
        split ? w.headMatrices("k_b_proj.weight", h, s.rank, s.plain) : both.slice(1, 0, s.plain),
        split,
        split
            ? w.headMatrices("v_b_proj.weight", h, s.value, s.rank)
            : both.slice(1, s.plain, s.plain + s.value),
        w.linear("o_proj", d, (long) h * s.value),
        rope,
        spec);
  }

  @Override
  public KvLayout state() {
    return new KvLayout(1, sizes.rotated + sizes.rank, sizes.rank, 0);
  }

  /// q_n, q_r = Wq norm(Wqa x); c, k_r = norm(Wa x), Wa' x; q_r, k_r = rope(q_r), rope(k_r)
  ///
  /// q k^T = q_r k_r^T + q_n (Wk c)^T = [q_r; Wk^T q_n] [k_r; c]^T
  ///
  /// Wo (softmax(q k^T scale) (Wv c)) = Wo Wv (softmax(q k^T scale) c)
  @Override
  public Tensor forward(Ops ops, Activations x, Step step) {
    int t = x.rows();
    int h = sizes.heads;
    int n = sizes.plain;
    int p = sizes.rotated;
    int r = sizes.rank;
    var made = Linear.forward(ops, x, queryLatent == null ? query : queryLatent, latent);
    var q = queryLatent == null ? made[0] : query.forward(ops, queryNorm.of(ops, made[0]));
    var heads = q.reshape(t, h, n + p);
    var queries = ops.empty(t, h, p + r);
    copyColumns(q, n, n + p, p, queries, 0, p + r);
    ops.headProducts(heads.slice(2, 0, n), keys, !turned, queries.slice(2, p, p + r));
    var c = ops.empty(t, r);
    copyColumns(made[1], 0, r + p, r, c, 0, r);
    c = latentNorm.of(ops, c); // (T, R)
    var key = ops.empty(t, 1, p + r);
    copyColumns(made[1], r, r + p, p, key, 0, p + r);
    copyColumns(c, 0, r, r, key, p, p + r);
    var table = step.table(rope);
    ops.rope(queries, table.queryCos(), table.querySin(), rope.interleaved());
    ops.rope(key, table.cos(), table.sin(), rope.interleaved());
    step.put(ops, this, key, c.reshape(t, 1, r));
    var y = step.attention(ops, this, queries, spec); // (T, H, R)
    var z = ops.empty(t, h, sizes.value);
    ops.headProducts(y, values, false, z);
    return output.forward(ops, z.reshape(t, (long) h * sizes.value)); // (T, D)
  }

  /// Copies `count` columns of rows of `stride` numbers to those of rows of `toStride`.
  private static void copyColumns(
      Tensor x, int from, int stride, int count, Tensor out, int to, int toStride) {
    for (long i = 0; i < x.size() / stride; i++) {
      MemorySegment.copy(
          x.segment(), 4 * (i * stride + from), out.segment(), 4 * (i * toStride + to), 4L * count);
    }
  }
}
