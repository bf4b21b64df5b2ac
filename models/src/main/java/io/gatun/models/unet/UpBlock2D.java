package io.gatun.models.unet;

import io.gatun.models.nn.ResnetBlock2D;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Upsample2D;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/// One level of the way up: UpBlock2D, or CrossAttnUpBlock2D with a transformer after each residual
/// block.
final class UpBlock2D {
  private final List<ResnetBlock2D> resnets = new ArrayList<>();
  private final List<Transformer2DModel> attentions = new ArrayList<>();
  private final Upsample2D upsampler;

  /// @param up counted from the bottom
  UpBlock2D(UNet2DConditionConfig config, Weights weights, int up) {
    var channels = config.blockOutChannels();
    int block = channels.size() - 1 - up; // the down block of this level
    int out = channels.get(block);
    int below = channels.get(Math.min(block + 1, channels.size() - 1));
    int above = channels.get(Math.max(block - 1, 0));
    boolean attends = config.upBlockTypes().get(up).startsWith("CrossAttn");
    int layers = config.layersPerBlock().get(block) + 1;
    for (int i = 0; i < layers; i++) {
      int in = i == 0 ? below : out;
      int skip = i == layers - 1 ? above : out;
      resnets.add(Blocks.resnet(config, weights.at("resnets", i), in + skip, out));
      if (attends) {
        int depth = Blocks.depth(config.reverseTransformerLayersPerBlock(), up, i);
        attentions.add(new Transformer2DModel(config, weights.at("attentions", i), block, depth));
      }
    }
    upsampler = block == 0 ? null : new Upsample2D(weights.at("upsamplers.0"), out);
  }

  Stream<CrossAttention> crossAttentions() {
    return attentions.stream().flatMap(Transformer2DModel::crossAttentions);
  }

  /// x = attention(resnet([x, skip])) for each layer, then twice the size.
  ///
  /// @param skips what the way down gave, of which each layer takes the last
  Tensor forward(
      Functional f, Tensor x, Tensor temb, Conditioning conditioning, List<Tensor> skips) {
    var layers = new ArrayList<UnaryOperator<Tensor>>();
    for (int i = 0; i < resnets.size(); i++) {
      var resnet = resnets.get(i);
      var attention = Blocks.at(attentions, i);
      layers.add(
          h -> {
            var in = f.concat(h, skips.removeLast());
            return Blocks.layer(f, in, resnet, attention, temb, conditioning);
          });
    }
    if (upsampler != null) {
      layers.add(
          h -> {
            var next = skips.getLast(); // whose size, perhaps odd, is to be met
            return upsampler.forward(f, h, next.dim(1), next.dim(2));
          });
    }
    return Scoped.chain(f, x, layers);
  }
}
