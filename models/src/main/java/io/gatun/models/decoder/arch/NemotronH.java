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
import io.gatun.models.decoder.Mamba2;
import io.gatun.models.decoder.SelfAttention;
import io.gatun.models.decoder.TokenMixer;
import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.Functional;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// NVIDIA's Nemotron-H (arXiv 2504.03624): layers of one part each, most of them state spaces, some
/// feed-forward layers, few attention, which knows no positions.
final class NemotronH implements Architecture {
  /// What the tensors show, how the model was trained, and what is about experts and layers that
  /// guess ahead, which it has not.
  private static final String KNOWN =
      "hybrid_override_pattern|layers_block_type|expand|chunk_size|mamba_(proj_bias|ssm_cache_dtype)|use_(conv_)?bias"
          + "|use_mamba_kernels|num_logits_to_keep|rescale_prenorm_residual|residual_in_fp32"
          + "|time_step_(floor|max)|moe_.*|mtp_.*|n_group|topk_group|n_shared_experts"
          + "|norm_topk_prob|routed_scaling_factor|attention_head_dim";

  @Override
  public Set<String> types() {
    return Set.of("nemotron_h");
  }

  @Override
  public Map<String, String> ggufNames() {
    var names = new HashMap<>(Mamba2.ggufNames("mixer"));
    names.put("norm", "attn_norm");
    names.put("mixer.q_proj", "attn_q");
    names.put("mixer.k_proj", "attn_k");
    names.put("mixer.v_proj", "attn_v");
    names.put("mixer.o_proj", "attn_output");
    names.put("mixer.up_proj", "ffn_up");
    names.put("mixer.down_proj", "ffn_down");
    return names;
  }

  @Override
  public Decoder build(Keys keys, DecoderWeights w) {
    keys.require("mlp_hidden_act", "relu2", "relu2");
    keys.require("mamba_hidden_act", "silu", "silu");
    keys.refuse("sliding_window");
    keys.ignore(KNOWN);
    var c = Config.of(keys, new Config.Defaults(1e-5, 1e4, keys.isGguf() ? 0 : 128, 4096));
    return new Decoder(
        c,
        w,
        1,
        List.of(),
        i -> {
          var layer = w.layer(i);
          var norm = layer.rmsNorm("norm", c.hiddenSize(), c.normEps());
          var mixer = layer.at("mixer");
          if (mixer.has("gate.weight")) {
            throw new CheckpointException(
                "%s: layer %d is a mixture of experts; of this type Gatun runs models without"
                    .formatted(keys.where(), i));
          }
          return mixer.has("up_proj.weight")
              ? DecoderLayer.of(norm, mlp(mixer, c))
              : DecoderLayer.of(
                  norm,
                  mixer.has("in_proj.weight")
                      ? Mamba2.of(mixer, c, keys, false)
                      : attention(mixer, c));
        },
        w.rmsNorm("model.norm", c.hiddenSize(), c.normEps()),
        Decoder.Output.PLAIN);
  }

  /// relu(x Wup)^2 Wdown
  private static FeedForward mlp(DecoderWeights w, Config c) {
    var up = w.linear("up_proj", c.intermediateSize(), c.hiddenSize());
    var down = w.linear("down_proj", c.hiddenSize(), c.intermediateSize());
    return (ops, x) -> {
      var hidden = Linear.forward(ops, x, up)[0];
      hidden = new Functional(ops, DType.Plain.F32).activate(hidden, Activation.RELU);
      ops.mulInPlace(hidden, hidden);
      return down.forward(ops, hidden);
    };
  }

  private static TokenMixer attention(DecoderWeights w, Config c) {
    var projections = w.projections(c.heads(), c.hiddenSize());
    var spec = AttentionSpec.of(c.headDim());
    return SelfAttention.of(c.heads(), projections, null, spec);
  }
}
