package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.DecoderLayer;
import io.gatun.models.decoder.DecoderWeights;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.RopeConfig;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.models.decoder.SelfAttention;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Gemma 2 (arXiv 2408.00118) and Gemma 3 (arXiv 2503.19786): norms before and after each half of a
/// layer, most layers local. The former limits scores and logits, the latter norms queries and keys
/// and turns positions of local layers by a base of their own. EmbeddingGemma (arXiv 2509.20354) is
/// a Gemma 3 that reads in both directions.
final class Gemma implements Architecture {
  @Override
  public Set<String> types() {
    return Set.of("gemma2", "gemma3", "gemma3_text", "gemma-embedding");
  }

  @Override
  public Map<String, String> ggufNames() {
    return Map.of(
        "post_attention_layernorm", "post_attention_norm",
        "pre_feedforward_layernorm", "ffn_norm",
        "post_feedforward_layernorm", "post_ffw_norm");
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    boolean second = keys.type().equals("gemma2");
    keys.require("hidden_activation", "gelu_pytorch_tanh", "gelu_pytorch_tanh");
    boolean reader =
        keys.flag("use_bidirectional_attention", keys.type().equals("gemma-embedding"));
    var defaults = new Config.Defaults(1e-6, second ? 1e4 : 1e6, keys.isGguf() ? 0 : 256, 8192);
    int whole = keys.count("sliding_window", 4096);
    int window = reader ? whole / 2 + 1 : whole; // half of it on either side
    var c = Config.of(keys, defaults).withSlidingWindow(window);
    int pattern = keys.count("sliding_window_pattern", second ? 2 : 6);
    int[] windows = keys.windows(c.numHiddenLayers(), window, i -> (i + 1) % pattern != 0);
    var global = new RotaryEmbedding(c.rope(), c.rope().dim(c.headDim()), false);
    var local = second ? global : new RotaryEmbedding(localRope(keys), c.headDim(), false);
    var one =
        AttentionSpec.of(c.headDim())
            .scale((float) (1 / Math.sqrt(queryScalar(keys, c))))
            .softcap((float) keys.number("attn_logit_softcapping", second ? 50 : 0));
    var spec = reader ? one.inBothDirections() : one;
    float softcap = (float) keys.number("final_logit_softcapping", second ? 30 : 0);
    return new Decoder(
        c,
        w,
        (float) Math.sqrt(c.hiddenSize()),
        second ? List.of(global) : List.of(global, local),
        i -> layer(w.layer(i), c, windows[i] > 0 ? local : global, spec.window(windows[i])),
        w.shiftedRmsNorm("model.norm", c.hiddenSize(), c.normEps()),
        new Decoder.Output(1, softcap));
  }

  /// What scores are divided by the root of. GGUF has no key for it: the largest models differ.
  private static double queryScalar(Keys keys, Config c) {
    int layers = c.numHiddenLayers();
    boolean largest = layers == (keys.type().equals("gemma2") ? 46 : 62);
    return keys.isGguf()
        ? largest ? c.hiddenSize() / (double) c.numAttentionHeads() : c.headDim()
        : keys.number("query_pre_attn_scalar", 256);
  }

  static RopeConfig localRope(Keys keys) {
    return RopeConfig.hasOwn(keys, "sliding_attention")
        ? RopeConfig.of(keys, "sliding_attention", 1e4)
        : RopeConfig.of(keys.number("rope_local_base_freq", 1e4));
  }

  private static DecoderLayer layer(
      DecoderWeights w, Config c, RotaryEmbedding rope, AttentionSpec spec) {
    int d = c.hiddenSize();
    float eps = c.normEps();
    var attn = w.at("self_attn");
    return new DecoderLayer.Sequential(
        w.shiftedRmsNorm("input_layernorm", d, eps),
        new SelfAttention(
            c.heads(),
            attn.projections(c.heads(), d),
            attn.shiftedRmsNorm("q_norm", c.headDim(), eps),
            attn.shiftedRmsNorm("k_norm", c.headDim(), eps),
            rope,
            spec),
        w.shiftedRmsNorm("post_attention_layernorm", d, eps),
        w.shiftedRmsNorm("pre_feedforward_layernorm", d, eps),
        w.at("mlp").gatedMlp(c.intermediateSize(), d, Activation.GELU_TANH),
        w.shiftedRmsNorm("post_feedforward_layernorm", d, eps));
  }
}
