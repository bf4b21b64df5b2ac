package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.DecoderLayer;
import io.gatun.models.decoder.DecoderWeights;
import io.gatun.models.decoder.GatedDeltaNet;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.RopeConfig;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.models.decoder.SelfAttention;
import io.gatun.models.decoder.TokenMixer;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Qwen3-Next and Qwen3.5, dense and with experts: three gated delta nets (arXiv 2412.06464) to one
/// attention layer whose output is gated; norms whose weights are differences from one.
final class Qwen3Next implements Architecture {
  /// What the tensors show, and what is about layers that guess tokens ahead.
  private static final String KNOWN =
      "layer_types|full_attention_interval|decoder_sparse_step|mlp_only_layers|mrope_section"
          + "|mamba_ssm_dtype|mtp_.*";

  @Override
  public Set<String> types() {
    return Set.of(
        "qwen3_next", "qwen3next", "qwen3_5_text", "qwen35", "qwen3_5_moe_text", "qwen35moe");
  }

  @Override
  public Map<String, String> ggufNames() {
    return Map.ofEntries(
        Map.entry("post_attention_layernorm", "post_attention_norm"),
        Map.entry("linear_attn.in_proj_qkv", "attn_qkv"),
        Map.entry("linear_attn.in_proj_z", "attn_gate"),
        Map.entry("linear_attn.in_proj_ba", "ssm_ba"),
        Map.entry("linear_attn.in_proj_b", "ssm_beta"),
        Map.entry("linear_attn.in_proj_a", "ssm_alpha"),
        Map.entry("linear_attn.conv1d", "ssm_conv1d"),
        Map.entry("linear_attn.A_log", "ssm_a"),
        Map.entry("linear_attn.dt_bias", "ssm_dt.bias"),
        Map.entry("linear_attn.norm", "ssm_norm"),
        Map.entry("linear_attn.out_proj", "ssm_out"));
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    keys.require("hidden_act", "silu", "silu");
    keys.requireFlag("attn_output_gate", true);
    keys.ignore(KNOWN);
    var c = Config.of(keys, new Config.Defaults(1e-6, 1e4, 256, 32768));
    int f = keys.count("moe_intermediate_size", c.intermediateSize());
    int shared = keys.countOrNone("shared_expert_intermediate_size");
    boolean renormalize = keys.flag("norm_topk_prob", true);
    var rope = new RotaryEmbedding(c.rope(), rotated(keys, c), false);
    return new Decoder(
        c,
        w,
        1,
        List.of(rope),
        i -> {
          var layer = w.layer(i);
          var mlp = layer.at("mlp");
          return DecoderLayer.preNorm(
              layer.shiftedRmsNorm("input_layernorm", c.hiddenSize(), c.normEps()),
              layer.has("linear_attn.out_proj.weight")
                  ? GatedDeltaNet.of(layer.at("linear_attn"), c, keys)
                  : attention(layer.at("self_attn"), c, rope),
              layer.shiftedRmsNorm("post_attention_layernorm", c.hiddenSize(), c.normEps()),
              mlp.has("gate.weight")
                  ? QwenMoe.moe(mlp, c, f, shared, renormalize)
                  : mlp.gatedMlp(c.intermediateSize(), c.hiddenSize(), Activation.SILU));
        },
        w.shiftedRmsNorm("model.norm", c.hiddenSize(), c.normEps()),
        Decoder.Output.PLAIN);
  }

  /// A quarter of a head where config.json does not say.
  private static int rotated(Keys keys, Config c) {
    String key = "partial_rotary_factor";
    boolean said = !keys.isAbsent(key) || !RopeConfig.section(keys).isAbsent(key);
    return said || keys.isGguf() ? c.rope().dim(c.headDim()) : c.headDim() / 4;
  }

  private static TokenMixer attention(DecoderWeights attn, Config c, RotaryEmbedding rope) {
    int d = c.hiddenSize();
    int q = c.numAttentionHeads() * c.headDim();
    int kv = c.numKeyValueHeads() * c.headDim();
    return new SelfAttention(
        c.heads(),
        new SelfAttention.Projections(
            attn.linear("q_proj", 2L * q, d),
            attn.linear("k_proj", kv, d),
            attn.linear("v_proj", kv, d),
            attn.linear("o_proj", d, q)),
        attn.shiftedRmsNorm("q_norm", c.headDim(), c.normEps()),
        attn.shiftedRmsNorm("k_norm", c.headDim(), c.normEps()),
        rope,
        AttentionSpec.of(c.headDim()));
  }
}
