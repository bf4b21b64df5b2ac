package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.DecoderLayer;
import io.gatun.models.decoder.DecoderWeights;
import io.gatun.models.decoder.FeedForward;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.Linear;
import io.gatun.models.decoder.Moe;
import io.gatun.models.decoder.Norm;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.models.decoder.Router;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// IBM's Granite 3, dense and with experts: Llama's block with four multipliers.
final class Granite implements Architecture {
  @Override
  public Set<String> types() {
    return Set.of("granite", "granitemoe");
  }

  @Override
  public Map<String, String> ggufNames() {
    return Map.of("block_sparse_moe.router.layer", "ffn_gate_inp");
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    keys.require("hidden_act", "silu", "silu");
    var c = Config.of(keys, Config.Defaults.LLAMA);
    int dim = c.rope().dim(c.headDim());
    var rope = new RotaryEmbedding(c.rope(), dim, w.turnsNeighbours());
    var spec = AttentionSpec.of(c.headDim());
    var scaled = spec.scale((float) keys.number("attention_multiplier", 1));
    var residual = new Norm.Scale((float) keys.number("residual_multiplier", 1));
    double divisor = keys.number(keys.isGguf() ? "logit_scale" : "logits_scaling", 1);
    return new Decoder(
        c,
        w,
        (float) keys.number("embedding_multiplier", 1),
        List.of(rope),
        i -> layer(w.layer(i), c, rope, scaled, residual),
        w.rmsNorm("model.norm", c.hiddenSize(), c.normEps()),
        new Decoder.Output((float) (1 / divisor), 0));
  }

  private static DecoderLayer layer(
      DecoderWeights w, Config c, RotaryEmbedding rope, AttentionSpec spec, Norm residual) {
    int d = c.hiddenSize();
    return new DecoderLayer.Sequential(
        w.rmsNorm("input_layernorm", d, c.normEps()),
        Llama.attention(w, c, rope, spec),
        residual,
        w.rmsNorm("post_attention_layernorm", d, c.normEps()),
        c.numLocalExperts() > 0
            ? moe(w.at("block_sparse_moe"), c)
            : w.at("mlp").gatedMlp(c.intermediateSize(), d, Activation.SILU),
        residual);
  }

  private static FeedForward moe(DecoderWeights moe, Config c) {
    int d = c.hiddenSize();
    int f = c.intermediateSize();
    int count = c.numLocalExperts();
    int perToken = c.numExpertsPerTok();
    var weights = moe.experts(count, perToken);
    var experts =
        moe.isGguf()
            ? weights.gated("experts", List.of("w1", "w3", "w2"), f, d)
            : weights.fused("input_linear.weight", "output_linear.weight", f, d, Activation.SILU);
    var gate = new Linear(moe.matrix("router.layer", count, d), null);
    return new Moe(Router.softmax(gate, perToken, true), experts);
  }
}
