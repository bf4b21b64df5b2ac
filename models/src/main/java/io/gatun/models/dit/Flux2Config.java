package io.gatun.models.dit;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import java.util.List;

/// The hyper-parameters of FLUX.2's transformer; components are named as in config.json.
///
/// @param inChannels of a patch of 2 x 2 latents
public record Flux2Config(
    int inChannels,
    int numLayers,
    int numSingleLayers,
    int attentionHeadDim,
    int numAttentionHeads,
    int jointAttentionDim,
    int timestepGuidanceChannels,
    double mlpRatio,
    List<Integer> axesDimsRope,
    double ropeTheta) {
  /// Reads the transformer's config.json.
  ///
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  public static Flux2Config of(JsonKeys keys) {
    keys.require("_class_name", "Flux2Transformer2DModel", "Flux2Transformer2DModel");
    keys.require("patch_size", 1);
    keys.require("eps", 1e-6);
    keys.requireFlag("guidance_embeds", false);
    int in = keys.count("in_channels");
    keys.require("out_channels", in);
    var config =
        new Flux2Config(
            in,
            keys.count("num_layers"),
            keys.count("num_single_layers"),
            keys.count("attention_head_dim"),
            keys.count("num_attention_heads"),
            keys.count("joint_attention_dim"),
            keys.count("timestep_guidance_channels", 256),
            keys.number("mlp_ratio", 3),
            keys.counts("axes_dims_rope"),
            keys.number("rope_theta", 2000));
    keys.requireAllRead();
    return config;
  }

  public Flux2Config {
    FluxConfig.requireAxes(axesDimsRope, 4, attentionHeadDim);
  }

  /// The width D.
  public int width() {
    return numAttentionHeads * attentionHeadDim;
  }

  /// The width of feed-forward layers.
  int mlpWidth() {
    return (int) (width() * mlpRatio);
  }

  /// What shapes the tensors, for messages.
  String reason() {
    return "num_attention_heads=%d, attention_head_dim=%d, num_layers=%d, num_single_layers=%d, in_channels=%d, joint_attention_dim=%d, mlp_ratio=%s in config.json"
        .formatted(
            numAttentionHeads,
            attentionHeadDim,
            numLayers,
            numSingleLayers,
            inChannels,
            jointAttentionDim,
            mlpRatio);
  }
}
