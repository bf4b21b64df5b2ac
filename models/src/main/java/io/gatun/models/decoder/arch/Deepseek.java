package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.DecoderLayer;
import io.gatun.models.decoder.DecoderWeights;
import io.gatun.models.decoder.DeepSeekMoe;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.LatentAttention;
import io.gatun.models.decoder.RopeConfig;
import io.gatun.models.decoder.RopeScaling;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.models.decoder.Router;
import io.gatun.tensor.ops.AttentionSpec;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// DeepSeek-V2 (arXiv 2405.04434) and V3 (arXiv 2412.19437): latent attention and many small
/// experts.
final class Deepseek implements Architecture {
  @Override
  public Set<String> types() {
    return Set.of("deepseek_v2", "deepseek_v3", "deepseek2");
  }

  @Override
  public Map<String, String> ggufNames() {
    return Map.of(
        "self_attn.q_a_proj", "attn_q_a",
        "self_attn.q_a_layernorm", "attn_q_a_norm",
        "self_attn.q_b_proj", "attn_q_b",
        "self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa",
        "self_attn.kv_a_layernorm", "attn_kv_a_norm",
        "self_attn.kv_b_proj", "attn_kv_b",
        "self_attn.k_b_proj", "attn_k_b",
        "self_attn.v_b_proj", "attn_v_b");
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    keys.require("hidden_act", "silu", "silu");
    boolean second = keys.type().equals("deepseek_v2");
    if (second) {
      keys.requireFlag("norm_topk_prob", false);
    }
    boolean gguf = keys.isGguf();
    keys.isAbsent("head_dim");
    var defaults = Config.Defaults.of(1e-6, 1e4);
    var c = Config.of(keys, defaults, keys.count(gguf ? "head_dim" : "qk_rope_head_dim"));
    int rotated = c.rope().dim(c.headDim());
    int query =
        gguf ? keys.count("qk_head_dim", c.headDim()) : keys.count("qk_nope_head_dim") + rotated;
    keys.require("qk_head_dim", query);
    int value = keys.count("v_head_dim");
    var sizes =
        new LatentAttention.Sizes(
            c.numAttentionHeads(),
            keys.count("kv_lora_rank"),
            query - rotated,
            rotated,
            gguf ? keys.count("v_head_dim_mla", value) : value);
    int queryRank = keys.countOrNone("q_lora_rank");
    var rope = new RotaryEmbedding(c.rope(), rotated, keys.flag("rope_interleave", true));
    var spec = AttentionSpec.of(query).scale((float) (mscale(keys, c) / Math.sqrt(query)));
    var scoring = second || gguf ? Router.Scoring.SOFTMAX : Router.Scoring.SIGMOID;
    var experts = DeepSeekMoe.of(keys, c, scoring, !second && !gguf);
    return new Decoder(
        c,
        w,
        1,
        List.of(rope),
        i -> {
          var layer = w.layer(i);
          return DecoderLayer.preNorm(
              layer.rmsNorm("input_layernorm", c.hiddenSize(), c.normEps()),
              LatentAttention.of(
                  layer.at("self_attn"), c.hiddenSize(), sizes, queryRank, rope, spec),
              layer.rmsNorm("post_attention_layernorm", c.hiddenSize(), c.normEps()),
              experts.layer(layer.at("mlp")));
        },
        w.rmsNorm("model.norm", c.hiddenSize(), c.normEps()),
        Decoder.Output.PLAIN);
  }

  /// What YaRN multiplies the scores by. GGUF has a tenth of the number.
  private static double mscale(Keys keys, Config c) {
    double all = RopeConfig.section(keys).number("mscale_all_dim", 0) * (keys.isGguf() ? 10 : 1);
    if (all == 0 || !(c.rope().scaling() instanceof RopeScaling.Yarn yarn)) {
      return 1;
    }
    double mscale = RopeScaling.Yarn.mscale(yarn.factor(), all);
    return mscale * mscale;
  }
}
