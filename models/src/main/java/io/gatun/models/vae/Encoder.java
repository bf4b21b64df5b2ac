package io.gatun.models.vae;

import io.gatun.models.nn.Downsample2D;
import io.gatun.models.nn.GroupNorm;
import io.gatun.models.nn.ResnetBlock2D;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.UnaryOperator;

/// From images to the moments of their latents.
final class Encoder {
  private final ConvWeight convIn;
  private final List<List<ResnetBlock2D>> downBlocks = new ArrayList<>();
  private final List<Downsample2D> downsamplers = new ArrayList<>();
  private final VaeMidBlock midBlock;
  private final GroupNorm convNormOut;
  private final ConvWeight convOut;

  Encoder(AutoencoderKLConfig config, Weights weights) {
    var channels = config.blockOutChannels();
    convIn = weights.conv("conv_in", channels.getFirst(), config.inChannels(), 3);
    for (int i = 0; i < channels.size(); i++) {
      var block = weights.at("down_blocks", i);
      int out = channels.get(i);
      var resnets = new ArrayList<ResnetBlock2D>();
      for (int j = 0; j < config.layersPerBlock(); j++) {
        int in = j > 0 ? out : channels.get(Math.max(0, i - 1));
        resnets.add(AutoencoderKL.resnet(config, block.at("resnets", j), in, out));
      }
      downBlocks.add(resnets);
      if (i < channels.size() - 1) {
        downsamplers.add(new Downsample2D(block.at("downsamplers.0"), out, 0));
      }
    }
    int deep = channels.getLast();
    midBlock = new VaeMidBlock(config, weights.at("mid_block"), deep);
    convNormOut =
        weights.groupNorm("conv_norm_out", config.normNumGroups(), deep, AutoencoderKL.EPS);
    convOut = weights.conv("conv_out", 2L * config.latentChannels(), deep, 3);
  }

  /// x (B, H, W, 3), result (B, H / 8, W / 8, 2 L): means, then logarithms of variances.
  Tensor forward(Functional f, Tensor x, BiConsumer<String, Tensor> probe) {
    var layers = new ArrayList<UnaryOperator<Tensor>>();
    layers.add(h -> f.conv2d(h, convIn));
    layers.add(Decoder.shown("encoder.conv_in", probe));
    for (int i = 0; i < downBlocks.size(); i++) {
      for (var resnet : downBlocks.get(i)) {
        layers.add(h -> resnet.forward(f, h, null));
      }
      if (i < downsamplers.size()) {
        var downsampler = downsamplers.get(i);
        layers.add(h -> downsampler.forward(f, h));
      }
      layers.add(Decoder.shown("encoder.down_blocks." + i, probe));
    }
    layers.add(h -> midBlock.forward(f, h));
    layers.add(Decoder.shown("encoder.mid_block", probe));
    layers.add(h -> f.conv2d(convNormOut.forward(f, h, Activation.SILU), convOut));
    return Scoped.chain(f, x, layers);
  }
}
