package io.gatun.models.decoder.arch;

import io.gatun.models.decoder.Architecture;
import io.gatun.models.decoder.Config;
import io.gatun.models.decoder.Decoder;
import io.gatun.models.decoder.DecoderLayer;
import io.gatun.models.decoder.DecoderWeights;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.Mamba2;
import io.gatun.models.decoder.Norm;
import io.gatun.models.decoder.RotaryEmbedding;
import io.gatun.models.decoder.SelfAttention;
import io.gatun.models.decoder.Step;
import io.gatun.models.decoder.TokenMixer;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Ops;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Falcon-H1 (arXiv 2507.22448): a state space and attention side by side in each layer, with many
/// multipliers, which GGUF files have in their weights.
final class FalconH1 implements Architecture {
  /// What the tensors show, and what is about memory.
  private static final String KNOWN =
      "mamba_(chunk_size|conv_bias|d_head|rms_norm|use_mlp)|num_logits_to_keep|projectors_bias";

  private static final float[] ONES = {1, 1, 1, 1, 1};

  @Override
  public Set<String> types() {
    return Set.of("falcon_h1", "falcon-h1");
  }

  @Override
  public Map<String, String> ggufNames() {
    var names = new HashMap<>(Mamba2.ggufNames("mamba"));
    names.put("pre_ff_layernorm.weight", "ffn_norm");
    names.put("feed_forward.gate_proj", "ffn_gate");
    names.put("feed_forward.up_proj", "ffn_up");
    names.put("feed_forward.down_proj", "ffn_down");
    return names;
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    keys.require("hidden_act", "silu", "silu");
    // Biases would miss what the input is multiplied by.
    keys.requireFlag("attention_bias", false);
    keys.requireFlag("mamba_proj_bias", false);
    keys.ignore(KNOWN);
    var c = Config.of(keys, Config.Defaults.of(1e-5, 1e4));
    var rope = new RotaryEmbedding(c.rope(), c.rope().dim(c.headDim()), false);
    return new Decoder(
        c,
        w,
        (float) keys.number("embedding_multiplier", 1),
        List.of(rope),
        i -> layer(keys, w.layer(i), c, rope),
        w.rmsNorm(w.isGguf() ? "model.norm" : "model.final_layernorm", c.hiddenSize(), c.normEps()),
        new Decoder.Output((float) keys.number("lm_head_multiplier", 1), 0));
  }

  private static DecoderLayer layer(Keys keys, DecoderWeights w, Config c, RotaryEmbedding rope) {
    int d = c.hiddenSize();
    float in = (float) keys.number("ssm_in_multiplier", 1);
    float[] m = keys.isAbsent("ssm_multipliers") ? ONES : keys.numbers("ssm_multipliers", 5);
    float[] mlp = keys.isAbsent("mlp_multipliers") ? ONES : keys.numbers("mlp_multipliers", 2);
    double attentionIn = keys.number("attention_in_multiplier", 1);
    double scores = attentionIn * attentionIn * keys.number("key_multiplier", 1);
    return new Layer(
        w.rmsNorm("input_layernorm", d, c.normEps()),
        Mamba2.of(w.at("mamba"), c, keys, keys.flag("mamba_norm_before_gate", !w.isGguf()))
            .scaled(in * m[0], in * m[1], in * m[2], in * m[3], in * m[4]),
        scale(keys.number("ssm_out_multiplier", 1)),
        SelfAttention.of(
            c.heads(),
            w.at("self_attn").projections(c.heads(), d),
            rope,
            new AttentionSpec((float) (scores / Math.sqrt(c.headDim())), 0)),
        scale(attentionIn * keys.number("attention_out_multiplier", 1)),
        DecoderLayer.of(
            w.rmsNorm("pre_ff_layernorm", d, c.normEps()),
            w.at("feed_forward")
                .gatedMlp(c.intermediateSize(), d, Activation.SILU)
                .scaled(scale(mlp[0]), scale(mlp[1]))));
  }

  private static Norm scale(double factor) {
    return factor == 1 ? Norm.none() : new Norm.Scale((float) factor);
  }

  /// n = norm(x); h = x + mamba(n) + attention(n); y = mlp(h)
  private record Layer(
      Norm norm,
      Mamba2 mamba,
      Norm mambaOut,
      SelfAttention attention,
      Norm attentionOut,
      DecoderLayer mlp)
      implements DecoderLayer {
    @Override
    public List<TokenMixer> mixers() {
      return List.of(mamba, attention);
    }

    @Override
    public void forward(Ops ops, Tensor x, Step step) {
      try (var _ = ops.scope()) {
        var n = norm.activations(ops, x);
        ops.addInPlace(x, mambaOut.of(ops, mamba.forward(ops, n, step)));
        ops.addInPlace(x, attentionOut.of(ops, attention.forward(ops, n, step)));
      }
      mlp.forward(ops, x, step);
    }
  }
}
