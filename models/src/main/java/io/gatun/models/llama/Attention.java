package io.gatun.models.llama;

import io.gatun.models.nn.RotaryEmbedding;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activations;
import io.gatun.tensor.ops.KvCache;
import io.gatun.tensor.ops.Ops;

/// Grouped-query self-attention with rotary positions (Ainslie et al. 2023).
final class Attention {
  private final LlamaConfig config;
  private final Tensor qProj;
  private final Tensor kProj;
  private final Tensor vProj;
  private final Tensor oProj;
  private final Tensor qBias;
  private final Tensor kBias;
  private final Tensor vBias;
  private final Tensor oBias;
  private final Tensor qNorm;
  private final Tensor kNorm;

  Attention(LlamaWeights weights, int layer) {
    config = weights.config();
    long d = config.hiddenSize();
    long q = (long) config.numAttentionHeads() * config.headDim();
    long kv = (long) config.numKeyValueHeads() * config.headDim();
    String prefix = "model.layers.%d.self_attn.";
    qProj = weights.matrix(prefix + "q_proj.weight", q, d, layer);
    kProj = weights.matrix(prefix + "k_proj.weight", kv, d, layer);
    vProj = weights.matrix(prefix + "v_proj.weight", kv, d, layer);
    oProj = weights.matrix(prefix + "o_proj.weight", d, q, layer);
    qBias = weights.optionalVector(prefix + "q_proj.bias", q, layer);
    kBias = weights.optionalVector(prefix + "k_proj.bias", kv, layer);
    vBias = weights.optionalVector(prefix + "v_proj.bias", kv, layer);
    oBias = weights.optionalVector(prefix + "o_proj.bias", d, layer);
    qNorm = weights.optionalVector(prefix + "q_norm.weight", config.headDim(), layer);
    kNorm = weights.optionalVector(prefix + "k_norm.weight", config.headDim(), layer);
  }

  /// q, k, v = x Wq, x Wk, x Wv; q, k = rope(norm(q)), rope(norm(k)) softmax(q K^T / sqrt(C)) V Wo,
  /// K and V being all the cache holds
  Tensor forward(
      Ops ops,
      Activations x,
      int layer,
      int position,
      RotaryEmbedding.Table rope,
      boolean interleaved,
      KvCache cache) {
    long t = x.rows();
    long c = config.headDim();
    var qkv = ops.linears(x, qProj, kProj, vProj);
    Mlp.addBias(ops, qkv[0], qBias);
    Mlp.addBias(ops, qkv[1], kBias);
    Mlp.addBias(ops, qkv[2], vBias);
    var q = qkv[0].reshape(t, config.numAttentionHeads(), c); // (T, H, C)
    var k = qkv[1].reshape(t, config.numKeyValueHeads(), c); // (T, G, C)
    var v = qkv[2].reshape(t, config.numKeyValueHeads(), c);
    if (qNorm != null) {
      q = ops.rmsNorm(q, qNorm, config.rmsNormEps());
    }
    if (kNorm != null) {
      k = ops.rmsNorm(k, kNorm, config.rmsNormEps());
    }
    ops.rope(q, rope.cos(), rope.sin(), interleaved);
    ops.rope(k, rope.cos(), rope.sin(), interleaved);
    cache.put(ops, layer, position, k, v);
    float scale = (float) (1 / Math.sqrt(c));
    var y = ops.attention(q, cache, layer, position, scale, config.slidingWindow());
    return ops.linear(y.reshape(t, config.numAttentionHeads() * c), oProj, oBias); // (T, D)
  }

  long bytesPerToken() {
    return qProj.byteSize() + kProj.byteSize() + vProj.byteSize() + oProj.byteSize();
  }

  long weightsPerToken() {
    return qProj.size() + kProj.size() + vProj.size() + oProj.size();
  }
}
