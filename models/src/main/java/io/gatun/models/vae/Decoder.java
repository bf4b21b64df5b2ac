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
    return Scoped.call(
        f,
        () -> {
          var h = f.conv2d(z, convIn);
          probe.accept("decoder.conv_in", h);
          h = midBlock.forward(f, h);
          probe.accept("decoder.mid_block", h);
          for (int i = 0; i < upBlocks.size(); i++) {
            var in = h;
            var resnets = upBlocks.get(i);
            var upsampler = i < upsamplers.size() ? upsamplers.get(i) : null;
            h =
                Scoped.call(
                    f,
                    () -> {
                      var y = in;
                      for (var resnet : resnets) {
                        y = resnet.forward(f, y, null);
                      }
                      return upsampler == null ? y : upsampler.forward(f, y);
                    });
            probe.accept("decoder.up_blocks." + i, h);
          }
          return f.conv2d(convNormOut.forward(f, h, Activation.SILU), convOut);
        });
  }
}
