package io.gatun.models.dit;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.UnknownKeys;
import java.util.Set;
import java.util.TreeSet;

/// The hyper-parameters of Stable Diffusion 3's transformer; components are named as in
/// config.json.
///
/// @param dualAttentionLayers the blocks with a second attention
/// @param qkNorm whether queries and keys are normalized
public record SD3Config(
    int sampleSize,
    int patchSize,
    int inChannels,
    int outChannels,
    int numLayers,
    int attentionHeadDim,
    int numAttentionHeads,
    int jointAttentionDim,
    int pooledProjectionDim,
    int posEmbedMaxSize,
    Set<Integer> dualAttentionLayers,
    boolean qkNorm) {
  /// Reads the transformer's config.json.
  ///
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  public static SD3Config of(JsonKeys keys) {
    keys.require("_class_name", "SD3Transformer2DModel", "SD3Transformer2DModel");
    int heads = keys.count("num_attention_heads");
    int headDim = keys.count("attention_head_dim");
    keys.require("caption_projection_dim", (double) heads * headDim);
    if (!keys.isAbsent("qk_norm")) {
      keys.require("qk_norm", "rms_norm", "rms_norm");
    }
    int in = keys.count("in_channels", 16);
    var dual = new TreeSet<Integer>();
    if (!keys.isAbsent("dual_attention_layers")) {
      for (JsonNode layer : keys.json().path("dual_attention_layers")) {
        if (!layer.isInt()) {
          throw new CheckpointException(
              "%s: \"dual_attention_layers\" has %s; need numbers of layers"
                  .formatted(keys.where(), UnknownKeys.shown(layer)));
        }
        dual.add(layer.intValue());
      }
    }
    var config =
        new SD3Config(
            keys.count("sample_size", 128),
            keys.count("patch_size", 2),
            in,
            keys.count("out_channels", in),
            keys.count("num_layers"),
            headDim,
            heads,
            keys.count("joint_attention_dim"),
            keys.count("pooled_projection_dim"),
            keys.count("pos_embed_max_size", 96),
            dual,
            !keys.isAbsent("qk_norm"));
    keys.requireAllRead();
    return config;
  }

  /// The width D.
  public int width() {
    return numAttentionHeads * attentionHeadDim;
  }

  /// What shapes the tensors, for messages.
  String reason() {
    return "num_attention_heads=%d, attention_head_dim=%d, num_layers=%d, joint_attention_dim=%d, pooled_projection_dim=%d in config.json"
        .formatted(
            numAttentionHeads, attentionHeadDim, numLayers, jointAttentionDim, pooledProjectionDim);
  }
}
