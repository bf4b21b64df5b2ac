package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.DecoderLayer;
import io.gatun.models.decoder.DecoderWeights;
import io.gatun.models.decoder.GatedMlp;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.Norm;
import io.gatun.models.decoder.RopeConfig;
import io.gatun.models.decoder.RopeScaling;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.models.decoder.SelfAttention;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Phi-3 (arXiv 2404.14219) and Phi-4 mini: Llama's block with fused projections and LongRoPE.
final class Phi3 implements Architecture {
  @Override
  public Set<String> types() {
    return Set.of("phi3");
  }

  @Override
  public Map<String, String> ggufNames() {
    return Map.of("self_attn.qkv_proj", "attn_qkv", "mlp.gate_up_proj", "ffn_up");
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    keys.require("hidden_act", "silu", "silu");
    int window = keys.countOrNone("sliding_window");
    var c = Config.of(keys, Config.Defaults.of(1e-5, 1e4)).withSlidingWindow(window);
    int[] windows = keys.windows(c.numHiddenLayers(), window, i -> window > 0);
    int dim = c.rope().dim(c.headDim());
    var rope = new RotaryEmbedding(rope(keys, w, c, dim), dim, false);
    var spec = AttentionSpec.of(c.headDim());
    return new Decoder(
        c,
        w,
        1,
        List.of(rope),
        i -> layer(w.layer(i), c, rope, spec.window(windows[i])),
        w.rmsNorm("model.norm", c.hiddenSize(), c.normEps()),
        Decoder.Output.PLAIN);
  }

  /// GGUF has the divisors among the tensors.
  private static RopeConfig rope(Keys keys, DecoderWeights w, Config c, int dim) {
    float[] longFactor = w.ropeDivisors("rope_factors_long", dim);
    if (longFactor == null) {
      return c.rope();
    }
    var scaling = keys.section("rope_scaling");
    return new RopeConfig(
        c.rope().theta(),
        c.rope().partial(),
        new RopeScaling.LongRope(
            w.ropeDivisors("rope_factors_short", dim),
            longFactor,
            scaling.count("original_max_position_embeddings"),
            scaling.number("attention_factor", 1)));
  }

  private static DecoderLayer layer(
      DecoderWeights w, Config c, RotaryEmbedding rope, AttentionSpec spec) {
    int d = c.hiddenSize();
    int f = c.intermediateSize();
    int q = c.numAttentionHeads() * c.headDim();
    int kv = c.numKeyValueHeads() * c.headDim();
    var qkv = w.fused("self_attn.qkv_proj", d, q, kv, kv);
    var gateUp = w.fused("mlp.gate_up_proj", d, f, f);
    return DecoderLayer.preNorm(
        w.rmsNorm("input_layernorm", d, c.normEps()),
        new SelfAttention(
            c.heads(),
            new SelfAttention.Projections(
                qkv[0], qkv[1], qkv[2], w.linear("self_attn.o_proj", d, q)),
            Norm.none(),
            Norm.none(),
            rope,
            spec),
        w.rmsNorm("post_attention_layernorm", d, c.normEps()),
        new GatedMlp(gateUp[0], gateUp[1], w.linear("mlp.down_proj", d, f), Activation.SILU));
  }
}
