package io.gatun.models.unet;

import io.gatun.models.nn.ResnetBlock2D;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.util.stream.Stream;

/// The bottom: a residual block, and in UNetMidBlock2DCrossAttn a transformer and another residual
/// block.
final class UNetMidBlock2D {
  private final ResnetBlock2D first;
  private final Transformer2DModel attention;
  private final ResnetBlock2D second;

  UNetMidBlock2D(UNet2DConditionConfig config, Weights weights) {
    int block = config.blockOutChannels().size() - 1;
    int channels = config.blockOutChannels().get(block);
    first = Blocks.resnet(config, weights.at("resnets.0"), channels, channels);
    if (config.midBlockType().equals(UNet2DConditionConfig.CROSS_ATTN_MID)) {
      int depth = Blocks.depth(config.transformerLayersPerBlock(), block, 0);
      attention = new Transformer2DModel(config, weights.at("attentions.0"), block, depth);
      second = Blocks.resnet(config, weights.at("resnets.1"), channels, channels);
    } else {
      attention = null;
      second = null;
    }
  }

  Stream<CrossAttention> crossAttentions() {
    return attention == null ? Stream.empty() : attention.crossAttentions();
  }

  /// resnet(attention(resnet(x)))
  Tensor forward(Functional f, Tensor x, Tensor temb, Conditioning conditioning) {
    if (second == null) {
      return first.forward(f, x, temb);
    }
    return Scoped.call(
        f, () -> second.forward(f, Blocks.layer(f, x, first, attention, temb, conditioning), temb));
  }
}
