package io.gatun.models.vae;

import io.gatun.models.nn.GroupNorm;
import io.gatun.models.nn.ResnetBlock2D;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Upsample2D;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.UnaryOperator;

/// From latents to images.
final class Decoder {
  private final ConvWeight convIn;
  private final VaeMidBlock midBlock;
  private final List<List<ResnetBlock2D>> upBlocks = new ArrayList<>();
  private final List<Upsample2D> upsamplers = new ArrayList<>();
  private final GroupNorm convNormOut;
  private final ConvWeight convOut;

  Decoder(AutoencoderKLConfig config, Weights weights) {
    var channels = config.blockOutChannels().reversed();
    int deep = channels.getFirst();
    convIn = weights.conv("conv_in", deep, config.latentChannels(), 3);
    midBlock = new VaeMidBlock(config, weights.at("mid_block"), deep);
    for (int i = 0; i < channels.size(); i++) {
      var block = weights.at("up_blocks", i);
      int out = channels.get(i);
      var resnets = new ArrayList<ResnetBlock2D>();
      for (int j = 0; j <= config.layersPerBlock(); j++) {
        int in = j > 0 ? out : channels.get(Math.max(0, i - 1));
        resnets.add(AutoencoderKL.resnet(config, block.at("resnets", j), in, out));
      }
      upBlocks.add(resnets);
      if (i < channels.size() - 1) {
        upsamplers.add(new Upsample2D(block.at("upsamplers.0"), out));
      }
    }
    int width = channels.getLast();
    convNormOut =
        weights.groupNorm("conv_norm_out", config.normNumGroups(), width, AutoencoderKL.EPS);
    convOut = weights.conv("conv_out", config.outChannels(), width, 3);
  }

  /// z (B, H, W, L), result (B, 8 H, 8 W, 3).
  Tensor forward(Functional f, Tensor z, BiConsumer<String, Tensor> probe) {
    var layers = new ArrayList<UnaryOperator<Tensor>>();
    layers.add(x -> f.conv2d(x, convIn));
    layers.add(shown("decoder.conv_in", probe));
    layers.add(x -> midBlock.forward(f, x));
    layers.add(shown("decoder.mid_block", probe));
    for (int i = 0; i < upBlocks.size(); i++) {
      for (var resnet : upBlocks.get(i)) {
        layers.add(x -> resnet.forward(f, x, null));
      }
      if (i < upsamplers.size()) {
        var upsampler = upsamplers.get(i);
        layers.add(x -> upsampler.forward(f, x));
      }
      layers.add(shown("decoder.up_blocks." + i, probe));
    }
    layers.add(x -> f.conv2d(convNormOut.forward(f, x, Activation.SILU), convOut));
    return Scoped.chain(f, z, layers);
  }

  /// Shows a layer's result, and hands it on.
  static UnaryOperator<Tensor> shown(String name, BiConsumer<String, Tensor> probe) {
    return x -> {
      probe.accept(name, x);
      return x;
    };
  }
}
