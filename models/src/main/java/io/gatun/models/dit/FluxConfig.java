package io.gatun.models.dit;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import java.util.List;

/// The hyper-parameters of FLUX.1's transformer; components are named as in config.json.
///
/// @param inChannels of a patch of 2 x 2 latents
/// @param guidanceEmbeds whether it was distilled to guide by itself, and is told how strongly
public record FluxConfig(
    int inChannels,
    int numLayers,
    int numSingleLayers,
    int attentionHeadDim,
    int numAttentionHeads,
    int jointAttentionDim,
    int pooledProjectionDim,
    boolean guidanceEmbeds,
    List<Integer> axesDimsRope) {
  /// Reads the transformer's config.json.
  ///
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  public static FluxConfig of(JsonKeys keys) {
    keys.require("_class_name", "FluxTransformer2DModel", "FluxTransformer2DModel");
    keys.require("patch_size", 1);
    int in = keys.count("in_channels", 64);
    keys.require("out_channels", in);
    var config =
        new FluxConfig(
            in,
            keys.count("num_layers", 19),
            keys.count("num_single_layers", 38),
            keys.count("attention_head_dim", 128),
            keys.count("num_attention_heads", 24),
            keys.count("joint_attention_dim", 4096),
            keys.count("pooled_projection_dim", 768),
            keys.flag("guidance_embeds", false),
            keys.isAbsent("axes_dims_rope") ? List.of(16, 56, 56) : keys.counts("axes_dims_rope"));
    keys.requireAllRead();
    return config;
  }

  public FluxConfig {
    requireAxes(axesDimsRope, 3, attentionHeadDim);
  }

  /// Checks that so many axes turn all channels of a head, in pairs.
  static void requireAxes(List<Integer> axes, int count, int headDim) {
    if (axes.size() != count
        || axes.stream().anyMatch(n -> n % 2 != 0)
        || axes.stream().mapToInt(Integer::intValue).sum() != headDim) {
      throw new CheckpointException(
          "the axes of rotary positions turn %s channels; need %d even numbers that sum to a head's %d"
              .formatted(axes, count, headDim));
    }
  }

  /// The width D.
  public int width() {
    return numAttentionHeads * attentionHeadDim;
  }

  /// What shapes the tensors, for messages.
  String reason() {
    return "num_attention_heads=%d, attention_head_dim=%d, num_layers=%d, num_single_layers=%d, in_channels=%d, joint_attention_dim=%d in config.json"
        .formatted(
            numAttentionHeads,
            attentionHeadDim,
            numLayers,
            numSingleLayers,
            inChannels,
            jointAttentionDim);
  }
}
