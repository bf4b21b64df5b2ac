package io.gatun.models.unet;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import java.util.List;

/// The hyper-parameters of a ControlNet; components are named as in config.json.
///
/// @param unet those of the UNet whose first half it is
/// @param bgr whether pictures come with blue first
public record ControlNetConfig(
    UNet2DConditionConfig unet, List<Integer> conditioningEmbeddingOutChannels, boolean bgr) {
  /// Reads a ControlNet's config.json.
  ///
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  public static ControlNetConfig of(JsonKeys keys) {
    keys.require("_class_name", "ControlNetModel", "ControlNetModel");
    keys.refuse("global_pool_conditions");
    String order = keys.text("controlnet_conditioning_channel_order", "rgb");
    int channels = keys.integer("conditioning_channels", 3);
    if (channels != 3 || !List.of("rgb", "bgr").contains(order)) {
      throw new CheckpointException(
          "%s: \"conditioning_channels\" is %d, \"controlnet_conditioning_channel_order\" \"%s\"; Gatun shows pictures of 3 channels, rgb or bgr"
              .formatted(keys.where(), channels, order));
    }
    var embedding =
        keys.isAbsent("conditioning_embedding_out_channels")
            ? List.of(16, 32, 96, 256)
            : keys.counts("conditioning_embedding_out_channels");
    return new ControlNetConfig(
        UNet2DConditionConfig.ofFirstHalf(keys), embedding, order.equals("bgr"));
  }

  /// Pixels of the picture a side for one latent.
  public int factor() {
    return 1 << (conditioningEmbeddingOutChannels.size() - 1);
  }
}
