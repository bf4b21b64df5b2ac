package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.DecoderWeights;
import io.gatun.models.decoder.ExpertWeights;
import io.gatun.models.decoder.FeedForward;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.Linear;
import io.gatun.models.decoder.Moe;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.models.decoder.Router;
import io.gatun.models.decoder.SharedExpert;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import java.util.List;
import java.util.Set;

/// Qwen2-MoE (Qwen1.5-MoE-A2.7B) and Qwen3-MoE (arXiv 2505.09388): Qwen's blocks with mixtures of
/// experts, beside which the former has one that every token uses.
final class QwenMoe implements Architecture {
  @Override
  public Set<String> types() {
    return Set.of("qwen2_moe", "qwen2moe", "qwen3_moe", "qwen3moe");
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    keys.require("hidden_act", "silu", "silu");
    keys.requireFlag("use_sliding_window", false);
    // The tensors show which layers are sparse.
    keys.isAbsent("decoder_sparse_step");
    keys.isAbsent("mlp_only_layers");
    keys.isAbsent("sliding_window");
    var c = Config.of(keys, Config.Defaults.LLAMA);
    keys.windows(c.numHiddenLayers(), 0, i -> false);
    int f = keys.count("moe_intermediate_size", c.intermediateSize());
    int shared = keys.countOrNone("shared_expert_intermediate_size");
    boolean renormalize =
        keys.flag("norm_topk_prob", keys.isGguf() && keys.type().startsWith("qwen3"));
    var rope = new RotaryEmbedding(c.rope(), c.rope().dim(c.headDim()), false);
    return new Decoder(
        c,
        w,
        1,
        List.of(rope),
        i -> {
          var layer = w.layer(i);
          var mlp = layer.at("mlp");
          var feedForward =
              mlp.has("gate.weight")
                  ? moe(mlp, c, f, shared, renormalize)
                  : mlp.gatedMlp(c.intermediateSize(), c.hiddenSize(), Activation.SILU);
          return Llama.layer(layer, c, rope, AttentionSpec.of(c.headDim()), feedForward);
        },
        w.rmsNorm("model.norm", c.hiddenSize(), c.normEps()),
        Decoder.Output.PLAIN);
  }

  static FeedForward moe(DecoderWeights mlp, Config c, int f, int shared, boolean renormalize) {
    int d = c.hiddenSize();
    int perToken = c.numExpertsPerTok();
    int count = c.numLocalExperts();
    var gate = new Linear(mlp.matrix("gate", count, d), null);
    var weights = mlp.experts(count, perToken);
    var experts =
        weights.has("experts.gate_up_proj")
            ? weights.fused("experts.gate_up_proj", "experts.down_proj", f, d, Activation.SILU)
            : weights.gated("experts", ExpertWeights.PROJECTIONS, f, d);
    var moe = new Moe(Router.softmax(gate, perToken, renormalize), experts);
    return shared == 0
        ? moe
        : new SharedExpert(
            moe,
            mlp.at("shared_expert").gatedMlp(shared, d, Activation.SILU),
            new Linear(mlp.row("shared_expert_gate", d), null));
  }
}
