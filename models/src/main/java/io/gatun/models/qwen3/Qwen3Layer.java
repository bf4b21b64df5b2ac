package io.gatun.models.qwen3;

import io.gatun.models.nn.RmsNorm;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// One layer of Qwen3.
final class Qwen3Layer {
  private final int heads;
  private final int groups;
  private final int headDim;
  private final RmsNorm inputLayernorm;
  private final LinearWeight qProj;
  private final LinearWeight kProj;
  private final LinearWeight vProj;
  private final RmsNorm qNorm;
  private final RmsNorm kNorm;
  private final LinearWeight oProj;
  private final RmsNorm postAttentionLayernorm;
  private final LinearWeight gateProj;
  private final LinearWeight upProj;
  private final LinearWeight downProj;

  Qwen3Layer(Qwen3Config config, Weights weights) {
    heads = config.numAttentionHeads();
    groups = config.numKeyValueHeads();
    headDim = config.headDim();
    long d = config.hiddenSize();
    long wide = config.intermediateSize();
    float eps = config.rmsNormEps();
    inputLayernorm = weights.rmsNorm("input_layernorm", d, eps);
    var attention = weights.at("self_attn");
    qProj = attention.linearWithoutBias("q_proj", (long) heads * headDim, d);
    kProj = attention.linearWithoutBias("k_proj", (long) groups * headDim, d);
    vProj = attention.linearWithoutBias("v_proj", (long) groups * headDim, d);
    qNorm = attention.rmsNorm("q_norm", headDim, eps);
    kNorm = attention.rmsNorm("k_norm", headDim, eps);
    oProj = attention.linearWithoutBias("o_proj", d, (long) heads * headDim);
    postAttentionLayernorm = weights.rmsNorm("post_attention_layernorm", d, eps);
    gateProj = weights.linearWithoutBias("mlp.gate_proj", wide, d);
    upProj = weights.linearWithoutBias("mlp.up_proj", wide, d);
    downProj = weights.linearWithoutBias("mlp.down_proj", d, wide);
  }

  /// h = x + attention(norm(x)); n = norm(h); h + down(silu(gate(n)) * up(n)): x (S, D).
  Tensor forward(Functional f, Tensor x, int text, Tensor cos, Tensor sin) {
    var n = inputLayernorm.forward(f, x);
    var q = turned(f, f.linear(n, qProj), qNorm, cos, sin); // (S, H K)
    var k = repeated(f, turned(f, f.linear(n, kProj), kNorm, cos, sin)); // (S, H K)
    var v = repeated(f, f.linear(n, vProj));
    var h = f.linear(seen(f, q, k, v, text), oProj, Epilogue.add(x));
    var m = postAttentionLayernorm.forward(f, h);
    var gate = f.linear(m, gateProj, Epilogue.of(Activation.SILU));
    return f.linear(f.mul(gate, f.linear(m, upProj)), downProj, Epilogue.add(h));
  }

  private Tensor turned(Functional f, Tensor x, RmsNorm norm, Tensor cos, Tensor sin) {
    var heads = norm.inF32(f, x.reshape(x.size() / headDim, headDim));
    f.ops().rope(heads.reshape(x.dim(0), x.dim(1) / headDim, headDim), cos, sin, false);
    return f.cast(heads.reshape(x.shape().dims()));
  }

  /// Each group's head as often as there are heads of queries for it.
  private Tensor repeated(Functional f, Tensor x) {
    var parts = new Tensor[heads];
    for (int h = 0; h < heads; h++) {
      int group = h / (heads / groups);
      parts[h] = x.slice(1, (long) group * headDim, (long) (group + 1) * headDim);
    }
    return f.concat(parts);
  }

  /// Tokens of the text see those before them, padding sees all of the text.
  private Tensor seen(Functional f, Tensor q, Tensor k, Tensor v, int text) {
    var spec = AttentionSpec.of(headDim);
    var keys = rows(k, 0, text);
    var values = rows(v, 0, text);
    var of = f.attention(rows(q, 0, text), keys, values, heads, spec);
    if (text == q.dim(0)) {
      return of.reshape(q.shape().dims());
    }
    var padding = rows(q, text, q.dim(0));
    var other = f.attention(padding, keys, values, heads, AttentionSpec.full(spec.scale()));
    return f.concat(of.reshape(1, of.size()), other.reshape(1, other.size()))
        .reshape(q.shape().dims());
  }

  /// Rows as a batch of one.
  private static Tensor rows(Tensor x, long from, long to) {
    var rows = x.slice(0, from, to);
    long d = x.dim(1);
    return Tensor.strided(
        rows.segment(), x.dtype(), Shape.of(1, to - from, d), (to - from) * d, d, 1);
  }
}
