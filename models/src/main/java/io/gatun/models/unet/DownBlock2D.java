package io.gatun.models.unet;

import io.gatun.models.nn.Downsample2D;
import io.gatun.models.nn.ResnetBlock2D;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/// One level of the way down: DownBlock2D, or CrossAttnDownBlock2D with a transformer after each
/// residual block.
final class DownBlock2D {
  private final List<ResnetBlock2D> resnets = new ArrayList<>();
  private final List<Transformer2DModel> attentions = new ArrayList<>();
  private final Downsample2D downsampler;

  DownBlock2D(UNet2DConditionConfig config, Weights weights, int block) {
    var channels = config.blockOutChannels();
    int out = channels.get(block);
    boolean attends = config.downBlockTypes().get(block).startsWith("CrossAttn");
    int layers = config.layersPerBlock().get(block);
    for (int i = 0; i < layers; i++) {
      int in = i > 0 ? out : channels.get(Math.max(0, block - 1));
      resnets.add(Blocks.resnet(config, weights.at("resnets", i), in, out));
      if (attends) {
        int depth = Blocks.depth(config.transformerLayersPerBlock(), block, i);
        attentions.add(new Transformer2DModel(config, weights.at("attentions", i), block, depth));
      }
    }
    downsampler =
        block == channels.size() - 1
            ? null
            : new Downsample2D(weights.at("downsamplers.0"), out, config.downsamplePadding());
  }

  Stream<CrossAttention> crossAttentions() {
    return attentions.stream().flatMap(Transformer2DModel::crossAttentions);
  }

  /// x = attention(resnet(x)) for each layer, then half the size.
  ///
  /// @param skips takes what each layer and the last convolution give, for the way up
  Tensor forward(
      Functional f, Tensor x, Tensor temb, Conditioning conditioning, List<Tensor> skips) {
    var h = x;
    for (int i = 0; i < resnets.size(); i++) {
      h = Blocks.layer(f, h, resnets.get(i), Blocks.at(attentions, i), temb, conditioning);
      skips.add(h);
    }
    if (downsampler != null) {
      h = downsampler.forward(f, h);
      skips.add(h);
    }
    return h;
  }
}
