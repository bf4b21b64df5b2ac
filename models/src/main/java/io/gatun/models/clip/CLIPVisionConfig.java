package io.gatun.models.clip;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import io.gatun.tensor.ops.Activation;

/// The hyper-parameters of CLIP's image encoder; components are named as in config.json.
public record CLIPVisionConfig(
    int imageSize,
    int patchSize,
    int hiddenSize,
    int intermediateSize,
    int numHiddenLayers,
    int numAttentionHeads,
    Activation hiddenAct,
    float layerNormEps) {
  /// Reads the section `vision_config` of a model's config.json.
  ///
  /// @throws CheckpointException if it asks for what Gatun does not do
  public static CLIPVisionConfig section(JsonKeys keys) {
    keys.require("num_channels", 3);
    return new CLIPVisionConfig(
        keys.count("image_size", 224),
        keys.count("patch_size", 32),
        keys.count("hidden_size", 768),
        keys.count("intermediate_size", 3072),
        keys.count("num_hidden_layers", 12),
        keys.count("num_attention_heads", 12),
        CLIPTextConfig.activation(keys),
        (float) keys.number("layer_norm_eps", 1e-5));
  }

  public CLIPVisionConfig {
    if (hiddenSize % numAttentionHeads != 0 || imageSize % patchSize != 0) {
      throw new CheckpointException(
          "vision_config has %d channels in %d heads, and images of %d in patches of %d; need multiples"
              .formatted(hiddenSize, numAttentionHeads, imageSize, patchSize));
    }
  }
}
