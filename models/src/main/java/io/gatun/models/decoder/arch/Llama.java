package io.gatun.models.decoder.arch;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.DecoderLayer;
import io.gatun.models.decoder.DecoderWeights;
import io.gatun.models.decoder.FeedForward;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.Linear;
import io.gatun.models.decoder.Moe;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.models.decoder.Router;
import io.gatun.models.decoder.SelfAttention;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import java.util.List;
import java.util.Set;

/// Llama (Touvron et al. 2023), and those that differ from it in what their tensors show: Mistral,
/// Mixtral (Jiang et al. 2024), Qwen2, Qwen3.
final class Llama implements Architecture {
  @Override
  public Set<String> types() {
    return Set.of("llama", "mistral", "mixtral", "qwen2", "qwen3");
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    keys.require("hidden_act", "silu", "silu");
    String type = keys.type();
    var defaults =
        switch (type) {
          case "mixtral" -> Config.Defaults.of(1e-5, 1e6);
          case "qwen3" -> new Config.Defaults(1e-6, 1e4, keys.isGguf() ? 0 : 128, 2048);
          default -> Config.Defaults.LLAMA;
        };
    var read = Config.of(keys, defaults);
    if (!w.isGguf() && read.rope().partial() != 1) {
      throw new CheckpointException(
          "%s: \"partial_rotary_factor\" is %s; in models of type %s whole heads are rotated"
              .formatted(keys.where(), read.rope().partial(), type));
    }
    int window = window(keys);
    var c = read.withSlidingWindow(window);
    int[] windows = keys.windows(c.numHiddenLayers(), window, i -> window > 0);
    boolean neighbours = w.turnsNeighbours() && !type.startsWith("qwen");
    int dim = c.rope().dim(c.headDim());
    var rope =
        new RotaryEmbedding(c.rope(), dim, neighbours).divided(w.ropeDivisors("rope_freqs", dim));
    var spec = AttentionSpec.of(c.headDim());
    return new Decoder(
        c,
        w,
        1,
        List.of(rope),
        i -> layer(w.layer(i), c, rope, spec.window(windows[i]), mlp(w.layer(i), c)),
        w.rmsNorm("model.norm", c.hiddenSize(), c.normEps()),
        Decoder.Output.PLAIN);
  }

  /// The block of Llama with any feed-forward layer.
  static DecoderLayer layer(
      DecoderWeights w,
      Config c,
      RotaryEmbedding rope,
      AttentionSpec spec,
      FeedForward feedForward) {
    int d = c.hiddenSize();
    return DecoderLayer.preNorm(
        w.rmsNorm("input_layernorm", d, c.normEps()),
        attention(w, c, rope, spec),
        w.rmsNorm("post_attention_layernorm", d, c.normEps()),
        feedForward);
  }

  /// Llama's attention, with norms of each head's queries and keys if there are any.
  static SelfAttention attention(
      DecoderWeights w, Config c, RotaryEmbedding rope, AttentionSpec spec) {
    var attn = w.at("self_attn");
    return new SelfAttention(
        c.heads(),
        attn.projections(c.heads(), c.hiddenSize()),
        attn.optionalRmsNorm("q_norm", c.headDim(), c.normEps()),
        attn.optionalRmsNorm("k_norm", c.headDim(), c.normEps()),
        rope,
        spec);
  }

  private static FeedForward mlp(DecoderWeights w, Config c) {
    int d = c.hiddenSize();
    int f = c.intermediateSize();
    int experts = c.numLocalExperts();
    if (experts == 0) {
      return w.at("mlp").gatedMlp(f, d, Activation.SILU);
    }
    var moe = w.at("block_sparse_moe");
    int used = c.numExpertsPerTok();
    var gate = new Linear(moe.matrix("gate", experts, d), null);
    return new Moe(
        Router.softmax(gate, used, true),
        moe.experts(experts, used).gated("experts", List.of("w1", "w3", "w2"), f, d));
  }

  /// Positions that a token sees in layers that do not see all; 0 for no such layers.
  private static int window(Keys keys) {
    String type = keys.type();
    boolean qwen = type.startsWith("qwen");
    if (qwen && keys.flag("use_sliding_window", false)) {
      throw new CheckpointException(
          keys.where()
              + ": use_sliding_window is true; Gatun runs Qwen models with full attention only");
    }
    // Mistral's first file has no such key, and its second null for none.
    boolean first = type.equals("mistral") && !keys.isGguf() && !keys.json().has("sliding_window");
    boolean full = !keys.isGguf() && (qwen || type.equals("llama"));
    return full ? 0 : first ? 4096 : keys.countOrNone("sliding_window");
  }
}
