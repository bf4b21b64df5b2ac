package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.DecoderLayer;
import io.gatun.models.decoder.DecoderWeights;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.Norm;
import io.gatun.models.decoder.RopeConfig;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.models.decoder.SelfAttention;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// OLMo 2 (arXiv 2501.00656) and OLMo 3: norms only after each half of a layer, queries and keys
/// normed over all heads. In the latter three of four layers are local, and YaRN is for the others.
final class Olmo implements Architecture {
  @Override
  public Set<String> types() {
    return Set.of("olmo2", "olmo3");
  }

  @Override
  public Map<String, String> ggufNames() {
    return Map.of(
        "post_attention_layernorm", "post_attention_norm",
        "post_feedforward_layernorm", "post_ffw_norm");
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    keys.require("hidden_act", "silu", "silu");
    int window = keys.countOrNone("sliding_window");
    var c = Config.of(keys, Config.Defaults.of(1e-5, 5e5)).withSlidingWindow(window);
    int[] windows = keys.windows(c.numHiddenLayers(), window, i -> window > 0 && (i + 1) % 4 != 0);
    var global = new RotaryEmbedding(c.rope(), c.rope().dim(c.headDim()), false);
    var plain =
        RopeConfig.hasOwn(keys, "sliding_attention")
            ? RopeConfig.of(keys, "sliding_attention", 5e5)
            : RopeConfig.of(c.rope().theta());
    var local = new RotaryEmbedding(plain, c.headDim(), false);
    var spec = AttentionSpec.of(c.headDim());
    return new Decoder(
        c,
        w,
        1,
        List.of(global, local),
        i -> layer(w.layer(i), c, windows[i] > 0 ? local : global, spec.window(windows[i])),
        w.rmsNorm("model.norm", c.hiddenSize(), c.normEps()),
        Decoder.Output.PLAIN);
  }

  private static DecoderLayer layer(
      DecoderWeights w, Config c, RotaryEmbedding rope, AttentionSpec spec) {
    int d = c.hiddenSize();
    float eps = c.normEps();
    var attn = w.at("self_attn");
    return new DecoderLayer.Sequential(
        Norm.none(),
        new SelfAttention(
            c.heads(),
            attn.projections(c.heads(), d),
            attn.rmsNorm("q_norm", (long) c.numAttentionHeads() * c.headDim(), eps),
            attn.rmsNorm("k_norm", (long) c.numKeyValueHeads() * c.headDim(), eps),
            rope,
            spec),
        w.rmsNorm("post_attention_layernorm", d, eps),
        Norm.none(),
        w.at("mlp").gatedMlp(c.intermediateSize(), d, Activation.SILU),
        w.rmsNorm("post_feedforward_layernorm", d, eps));
  }
}
