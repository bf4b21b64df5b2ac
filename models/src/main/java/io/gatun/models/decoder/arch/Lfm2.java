package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.DecoderLayer;
import io.gatun.models.decoder.DecoderWeights;
import io.gatun.models.decoder.GatedMlp;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.RecurrentWeights;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.models.decoder.SelfAttention;
import io.gatun.models.decoder.ShortConvolution;
import io.gatun.models.decoder.TokenMixer;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Liquid AI's LFM2 (arXiv 2511.23404): in most layers a short convolution, in the others Llama's
/// attention with norms of queries and keys.
final class Lfm2 implements Architecture {
  /// What the tensors show, and how the first models were trained.
  private static final String KNOWN =
      "layer_types|full_attn_idxs|conv_(bias|dim|dim_out|use_xavier_init)|num_heads|theta"
          + "|tie_embedding|block_(dim|norm_eps|mlp_init_scale|out_init_scale|use_xavier_init)";

  @Override
  public Set<String> types() {
    return Set.of("lfm2");
  }

  @Override
  public Map<String, String> ggufNames() {
    return Map.ofEntries(
        Map.entry("operator_norm", "attn_norm"),
        Map.entry("ffn_norm", "ffn_norm"),
        Map.entry("feed_forward.w1", "ffn_gate"),
        Map.entry("feed_forward.w2", "ffn_down"),
        Map.entry("feed_forward.w3", "ffn_up"),
        Map.entry("self_attn.q_layernorm", "attn_q_norm"),
        Map.entry("self_attn.k_layernorm", "attn_k_norm"),
        Map.entry("self_attn.out_proj", "attn_output"),
        Map.entry("conv.in_proj", "shortconv.in_proj"),
        Map.entry("conv.conv", "shortconv.conv"),
        Map.entry("conv.out_proj", "shortconv.out_proj"));
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    keys.requireFlag("use_pos_enc", true);
    keys.requireFlag("block_use_swiglu", true);
    keys.ignore(KNOWN);
    var c = Config.of(keys, new Config.Defaults(1e-5, 1e6, 0, 128000));
    int f = width(keys, c.intermediateSize());
    int taps = keys.count("conv_L_cache", 3);
    var rope = new RotaryEmbedding(c.rope(), c.rope().dim(c.headDim()), false);
    return new Decoder(
        c,
        w,
        1,
        List.of(rope),
        i -> layer(w.layer(i), c, f, taps, rope),
        w.rmsNorm("model.embedding_norm", c.hiddenSize(), c.normEps()),
        Decoder.Output.PLAIN);
  }

  /// Of the feed-forward layers: config.json says what it would be without a gate.
  private static int width(Keys keys, int f) {
    double factor = keys.number("block_ffn_dim_multiplier", 1);
    int multiple = keys.count("block_multiple_of", 256);
    return keys.isGguf() || !keys.flag("block_auto_adjust_ff_dim", true)
        ? f
        : Math.ceilDiv((int) (factor * (2 * f / 3)), multiple) * multiple;
  }

  private static DecoderLayer layer(
      DecoderWeights w, Config c, int f, int taps, RotaryEmbedding rope) {
    int d = c.hiddenSize();
    var mlp = w.at("feed_forward");
    return DecoderLayer.preNorm(
        w.rmsNorm("operator_norm", d, c.normEps()),
        w.has("conv.in_proj.weight")
            ? convolution(w.at("conv"), d, taps)
            : attention(w.at("self_attn"), c, rope),
        w.rmsNorm("ffn_norm", d, c.normEps()),
        new GatedMlp(
            mlp.linear("w1", f, d),
            mlp.linear("w3", f, d),
            mlp.linear("w2", d, f),
            Activation.SILU));
  }

  private static TokenMixer convolution(DecoderWeights conv, int d, int taps) {
    return new ShortConvolution(
        conv.linear("in_proj", 3L * d, d),
        new RecurrentWeights(conv).taps("conv", d, taps),
        conv.bias("conv", d),
        conv.linear("out_proj", d, d));
  }

  private static TokenMixer attention(DecoderWeights attn, Config c, RotaryEmbedding rope) {
    int d = c.hiddenSize();
    int q = c.numAttentionHeads() * c.headDim();
    int kv = c.numKeyValueHeads() * c.headDim();
    return new SelfAttention(
        c.heads(),
        new SelfAttention.Projections(
            attn.linear("q_proj", q, d),
            attn.linear("k_proj", kv, d),
            attn.linear("v_proj", kv, d),
            attn.linear("out_proj", d, q)),
        attn.rmsNorm("q_layernorm", c.headDim(), c.normEps()),
        attn.rmsNorm("k_layernorm", c.headDim(), c.normEps()),
        rope,
        AttentionSpec.of(c.headDim()));
  }
}
