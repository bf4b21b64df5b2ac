package io.gatun.models.dit;

import io.gatun.models.nn.JsonKeys;
import java.util.regex.Pattern;

/// The hyper-parameters of PixArt's transformer; components are named as in config.json.
///
/// @param useAdditionalConditions whether it is told the image's size and aspect ratio
/// @param interpolationScale what places of patches are divided by
public record PixArtConfig(
    int numAttentionHeads,
    int attentionHeadDim,
    int inChannels,
    int outChannels,
    int numLayers,
    boolean attentionBias,
    int sampleSize,
    int patchSize,
    int captionChannels,
    boolean useAdditionalConditions,
    double interpolationScale) {
  /// The latents a side for which positions are not scaled, and those of the models that are told
  /// sizes unless they say otherwise.
  private static final int BASE = 64;

  private static final int WITH_SIZES = 128;

  /// Read by other norms than this one has.
  private static final Pattern HARMLESS =
      Pattern.compile(
          "norm_num_groups|num_embeds_ada_norm|upcast_attention|num_vector_embeds|double_self_attention"
              + "|only_cross_attention|use_linear_projection");

  /// Reads the transformer's config.json.
  ///
  /// @throws io.gatun.loaders.CheckpointException if a key is missing or asks for what Gatun does
  ///   not do
  public static PixArtConfig of(JsonKeys keys) {
    keys.require("_class_name", "PixArtTransformer2DModel", "PixArtTransformer2DModel");
    keys.require("activation_fn", "gelu-approximate", "gelu-approximate");
    keys.require("attention_type", "default", "default");
    keys.require("norm_type", "ada_norm_single", "ada_norm_single");
    keys.require("norm_eps", 1e-6);
    keys.requireFlag("norm_elementwise_affine", false);
    int heads = keys.count("num_attention_heads", 16);
    int headDim = keys.count("attention_head_dim", 72);
    keys.require("cross_attention_dim", (double) heads * headDim);
    int size = keys.count("sample_size", WITH_SIZES);
    int in = keys.count("in_channels", 4);
    var config =
        new PixArtConfig(
            heads,
            headDim,
            in,
            keys.count("out_channels", in),
            keys.count("num_layers", 28),
            keys.flag("attention_bias", true),
            size,
            keys.count("patch_size", 2),
            keys.count("caption_channels"),
            keys.flag("use_additional_conditions", size == WITH_SIZES),
            keys.number("interpolation_scale", Math.max(size / BASE, 1)));
    keys.requireAllRead(HARMLESS);
    return config;
  }

  /// The width D.
  public int width() {
    return numAttentionHeads * attentionHeadDim;
  }

  /// What shapes the tensors, for messages.
  String reason() {
    return "num_attention_heads=%d, attention_head_dim=%d, num_layers=%d, caption_channels=%d in config.json"
        .formatted(numAttentionHeads, attentionHeadDim, numLayers, captionChannels);
  }
}
