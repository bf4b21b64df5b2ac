package io.gatun.models.unet;

import io.gatun.models.nn.GroupNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/// Transformer blocks over the pixels of an image. Its projections are 1x1 convolutions in some
/// files and linear layers in others (use_linear_projection), which is the same in NHWC.
final class Transformer2DModel {
  private static final float EPS = 1e-6f;

  private final GroupNorm norm;
  private final LinearWeight projIn;
  private final List<BasicTransformerBlock> transformerBlocks = new ArrayList<>();
  private final LinearWeight projOut;

  Transformer2DModel(UNet2DConditionConfig config, Weights weights, int block, int layers) {
    int channels = config.blockOutChannels().get(block);
    norm = weights.groupNorm("norm", config.normNumGroups(), channels, EPS);
    projIn = weights.linear("proj_in", channels, channels);
    for (int i = 0; i < layers; i++) {
      transformerBlocks.add(
          new BasicTransformerBlock(
              weights.at("transformer_blocks", i),
              channels,
              config.crossAttentionDim().get(block),
              config.numAttentionHeads().get(block)));
    }
    projOut = weights.linear("proj_out", channels, channels);
  }

  Stream<CrossAttention> crossAttentions() {
    return transformerBlocks.stream().map(BasicTransformerBlock::crossAttention);
  }

  /// x += projOut(blocks(projIn(norm(x)))): x (B, H, W, C).
  void update(Functional f, Tensor x, Conditioning conditioning) {
    Scoped.run(
        f,
        () -> {
          var h =
              f.linear(norm.forward(f, x, Activation.NONE), projIn)
                  .reshape(x.dim(0), x.dim(1) * x.dim(2), x.dim(3)); // (B, T, C)
          for (var block : transformerBlocks) {
            block.update(f, h, conditioning);
          }
          f.addLinear(x, h.reshape(x.shape().dims()), projOut); // (B, H, W, C)
        });
  }
}
