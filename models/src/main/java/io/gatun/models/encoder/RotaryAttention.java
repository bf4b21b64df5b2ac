package io.gatun.models.encoder;

import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// Attention within each text with rotary positions, whose queries, keys and values come from one
/// matrix without a bias.
///
/// @param queryKey the rows of queries and keys, which are turned together
record RotaryAttention(
    LinearWeight queryKey,
    LinearWeight value,
    int heads,
    RotaryEmbedding rope,
    AttentionSpec spec) {
  /// @param d the size of the hidden states, D
  static RotaryAttention of(
      Weights weights, long d, int heads, RotaryEmbedding rope, AttentionSpec spec) {
    var wqkv = weights.tensor("attn.Wqkv.weight", 3 * d, d);
    return new RotaryAttention(
        LinearWeight.of(wqkv.slice(0, 0, 2 * d), null),
        LinearWeight.of(wqkv.slice(0, 2 * d, 3 * d), null),
        heads,
        rope,
        spec);
  }

  /// The heads' results (T, D) side by side, for x (T, D).
  Tensor forward(Functional f, Tensor x, EncoderStack.Texts texts) {
    long d = x.dim(1);
    var qk = turned(f, f.linear(x, queryKey), texts.table(rope)); // (T, 2 D)
    return f.attention(
        qk.slice(1, 0, d),
        qk.slice(1, d, 2 * d),
        f.linear(x, value),
        texts.batch().starts(),
        heads,
        spec);
  }

  private Tensor turned(Functional f, Tensor qk, RotaryEmbedding.Table table) {
    var x = qk.dtype() == DType.Plain.F32 ? qk : f.toF32(qk);
    long heads2 = 2L * heads;
    f.ops()
        .rope(
            x.reshape(x.dim(0), heads2, x.dim(1) / heads2),
            table.cos(),
            table.sin(),
            rope.interleaved());
    return x == qk ? x : f.cast(x);
  }
}
