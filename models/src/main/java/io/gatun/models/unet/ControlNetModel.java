package io.gatun.models.unet;

import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/// A copy of a UNet's first half that was trained to see a picture (edges, depth, a pose), and to
/// steer the UNet by it (Zhang et al. 2023, arXiv:2302.05543).
public final class ControlNetModel {
  private final ControlNetConfig config;
  private final DownPath down;
  private final List<ConvWeight> condEmbedding = new ArrayList<>();
  private final List<LinearWeight> downBlocks = new ArrayList<>();
  private final LinearWeight midBlock;

  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing or has another shape than
  ///   the configuration says
  public ControlNetModel(ControlNetConfig config, Weights checkpoint) {
    this.config = config;
    var weights = checkpoint.because(config.unet().reason());
    down = new DownPath(config.unet(), weights);
    var embedding = weights.at("controlnet_cond_embedding");
    var channels = config.conditioningEmbeddingOutChannels();
    condEmbedding.add(embedding.conv("conv_in", channels.getFirst(), 3, 3));
    for (int i = 0; i < channels.size() - 1; i++) {
      int in = channels.get(i);
      condEmbedding.add(embedding.conv("blocks." + 2 * i, in, in, 3));
      condEmbedding.add(
          embedding.conv(
              "blocks." + (2 * i + 1), channels.get(i + 1), in, 3, 2, ConvWeight.Padding.of(1)));
    }
    int width = config.unet().blockOutChannels().getFirst();
    condEmbedding.add(embedding.conv("conv_out", width, channels.getLast(), 3));
    for (int size : sizes()) {
      downBlocks.add(weights.linear("controlnet_down_blocks." + downBlocks.size(), size, size));
    }
    int deep = config.unet().blockOutChannels().getLast();
    midBlock = weights.linear("controlnet_mid_block", deep, deep);
  }

  /// The channels of what each layer on the way down gives.
  private List<Integer> sizes() {
    var channels = config.unet().blockOutChannels();
    var sizes = new ArrayList<Integer>(List.of(channels.getFirst()));
    for (int block = 0; block < channels.size(); block++) {
      int last = block == channels.size() - 1 ? 0 : 1; // what halves the size
      for (int i = 0; i < config.unet().layersPerBlock().get(block) + last; i++) {
        sizes.add(channels.get(block));
      }
    }
    return sizes;
  }

  public ControlNetConfig config() {
    return config;
  }

  /// What is the same in all steps, see [UNet2DConditionModel#condition].
  public Conditioning condition(Functional f, Tensor context, AddedConditions added) {
    return down.condition(f, down.crossAttentions().toList(), context, added);
  }

  /// A picture as the network sees it in every step: convolutions with silu between them.
  ///
  /// @param picture (B, 8 H, 8 W, 3), values 0..1, F32, the channels in the configuration's order
  /// @return (B, H, W, C)
  public Tensor embed(Functional f, Tensor picture) {
    var layers = new ArrayList<UnaryOperator<Tensor>>();
    layers.add(f::cast);
    for (var conv : condEmbedding.subList(0, condEmbedding.size() - 1)) {
      layers.add(x -> f.conv2d(x, conv, Epilogue.of(Activation.SILU)));
    }
    layers.add(x -> f.conv2d(x, condEmbedding.getLast()));
    return Scoped.chain(f, picture, layers);
  }

  /// What the UNet is to add.
  ///
  ///     x = convIn(sample) + picture;  x = down(x)...;  x = mid(x);  scale * conv(each)
  ///
  /// @param sample latents (B, H, W, in_channels), F32
  /// @param picture of [#embed]
  /// @param scale how strongly it steers; 1 as it was trained
  public ControlResiduals forward(
      Functional f,
      Tensor sample,
      double timestep,
      Conditioning conditioning,
      Tensor picture,
      double scale) {
    var temb = down.timeEmbedding(f, timestep, conditioning, (name, h) -> {});
    var skips = new ArrayList<Tensor>();
    var x = f.add(down.convIn(f, sample, conditioning), picture);
    x = down.forward(f, x, temb, conditioning, skips, (name, h) -> {});
    var residuals = new ArrayList<Tensor>();
    for (int i = 0; i < skips.size(); i++) {
      residuals.add(scaled(f, f.linear(skips.get(i), downBlocks.get(i)), scale));
    }
    return new ControlResiduals(residuals, scaled(f, f.linear(x, midBlock), scale));
  }

  private static Tensor scaled(Functional f, Tensor x, double scale) {
    return scale == 1 ? x : f.scale(x, (float) scale);
  }
}
