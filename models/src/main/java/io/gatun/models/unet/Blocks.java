package io.gatun.models.unet;

import io.gatun.models.nn.ResnetBlock2D;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.util.List;

/// What the blocks on the way down, in the middle and on the way up have in common.
final class Blocks {
  private Blocks() {}

  static ResnetBlock2D resnet(UNet2DConditionConfig config, Weights weights, int in, int out) {
    return new ResnetBlock2D(
        weights, in, out, config.timeEmbeddingDim(), config.normNumGroups(), config.normEps());
  }

  /// The layers of transformer `i` of a block.
  static int depth(List<List<Integer>> transformerLayers, int block, int i) {
    var layers = transformerLayers.get(block);
    return layers.get(Math.min(i, layers.size() - 1));
  }

  /// The transformer after residual block `i`; null where the block has none.
  static Transformer2DModel at(List<Transformer2DModel> attentions, int i) {
    return i < attentions.size() ? attentions.get(i) : null;
  }

  /// A residual block and the transformer after it, if there is one.
  static Tensor layer(
      Functional f,
      Tensor x,
      ResnetBlock2D resnet,
      Transformer2DModel attention,
      Tensor temb,
      Conditioning conditioning) {
    var h = resnet.forward(f, x, temb);
    if (attention != null) {
      attention.update(f, h, conditioning);
    }
    return h;
  }
}
