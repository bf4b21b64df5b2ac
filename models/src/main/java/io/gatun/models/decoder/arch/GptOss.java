package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.ClampedGatedMlp;
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
import io.gatun.tensor.ops.AttentionSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/// OpenAI's gpt-oss (arXiv 2508.10925): attention sinks, every other layer local, biases, and
/// experts in MXFP4.
final class GptOss implements Architecture {
  private static final float ALPHA = 1.702f;

  @Override
  public Set<String> types() {
    return Set.of("gpt_oss", "gpt-oss");
  }

  @Override
  public Map<String, String> ggufNames() {
    return Map.of(
        "post_attention_layernorm", "post_attention_norm",
        "self_attn.sinks", "attn_sinks.weight",
        "mlp.router", "ffn_gate_inp",
        "mlp.experts.gate_proj", "ffn_gate_exps.weight",
        "mlp.experts.gate_proj_bias", "ffn_gate_exps.bias",
        "mlp.experts.up_proj", "ffn_up_exps.weight",
        "mlp.experts.up_proj_bias", "ffn_up_exps.bias",
        "mlp.experts.down_proj", "ffn_down_exps.weight",
        "mlp.experts.down_proj_bias", "ffn_down_exps.bias");
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    keys.require("hidden_act", "silu", "silu");
    // The tensors show which are in MXFP4.
    keys.section("quantization_config").require("quant_method", "mxfp4", "mxfp4");
    // Older names of num_experts_per_tok and the scaling's original length.
    keys.isAbsent("experts_per_token");
    keys.isAbsent("initial_context_length");
    int window = keys.count("sliding_window", 128);
    var c = Config.of(keys, Config.Defaults.of(1e-5, 150000)).withSlidingWindow(window);
    int[] windows = keys.windows(c.numHiddenLayers(), window, i -> i % 2 == 0);
    var rope = new RotaryEmbedding(c.rope(), c.rope().dim(c.headDim()), false);
    float limit = (float) keys.number("swiglu_limit", 7);
    return new Decoder(
        c,
        w,
        1,
        List.of(rope),
        i -> layer(w.layer(i), c, rope, windows[i], limit),
        w.rmsNorm("model.norm", c.hiddenSize(), c.normEps()),
        Decoder.Output.PLAIN);
  }

  private static DecoderLayer layer(
      DecoderWeights w, Config c, RotaryEmbedding rope, int window, float limit) {
    var sinks = w.vector("self_attn.sinks", c.numAttentionHeads());
    var spec = AttentionSpec.of(c.headDim()).window(window).sinks(sinks);
    return Llama.layer(w, c, rope, spec, moe(w.at("mlp"), c, limit));
  }

  private static FeedForward moe(DecoderWeights mlp, Config c, float limit) {
    int d = c.hiddenSize();
    int f = c.intermediateSize();
    boolean split = mlp.isGguf();
    var gate = linears(mlp, split ? "gate_proj" : "gate_up_proj", c, split ? f : 2 * f, d);
    var up = split ? linears(mlp, "up_proj", c, f, d) : null;
    var down = linears(mlp, "down_proj", c, d, f);
    var experts = new ArrayList<ClampedGatedMlp>();
    for (int e = 0; e < c.numLocalExperts(); e++) {
      experts.add(
          new ClampedGatedMlp(gate.get(e), split ? up.get(e) : null, down.get(e), limit, ALPHA));
    }
    var router = mlp.linear("router", c.numLocalExperts(), d);
    return new Moe(Router.softmax(router, c.numExpertsPerTok(), true), experts);
  }

  /// One layer of every expert. Hugging Face's files have matrices (K, N) unless they are in MXFP4.
  private static List<Linear> linears(DecoderWeights mlp, String name, Config c, int n, int k) {
    int count = c.numLocalExperts();
    var w = mlp.at("experts");
    var experts = w.experts(count, c.numExpertsPerTok());
    var weights = mlp.isGguf() ? experts.matrices(name, n, k) : experts.turnedMatrices(name, n, k);
    var bias = w.floats(name + "_bias", count, n);
    return IntStream.range(0, count)
        .mapToObj(e -> new Linear(weights.get(e), bias.get(e)))
        .toList();
  }
}
