package io.gatun.models.vae;

import io.gatun.models.nn.ResnetBlock2D;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;

/// The bottom of the encoder and the top of the decoder: two residual blocks with attention
/// between.
final class VaeMidBlock {
  private final ResnetBlock2D first;
  private final VaeAttention attention;
  private final ResnetBlock2D second;

  VaeMidBlock(AutoencoderKLConfig config, Weights weights, int channels) {
    first = AutoencoderKL.resnet(config, weights.at("resnets.0"), channels, channels);
    attention =
        config.midBlockAddAttention()
            ? new VaeAttention(
                weights.at("attentions.0"), channels, config.normNumGroups(), AutoencoderKL.EPS)
            : null;
    second = AutoencoderKL.resnet(config, weights.at("resnets.1"), channels, channels);
  }

  /// x (B, H, W, C).
  Tensor forward(Functional f, Tensor x) {
    return Scoped.call(
        f,
        () -> {
          var h = first.forward(f, x, null);
          return second.forward(f, attention == null ? h : attention.forward(f, h), null);
        });
  }
}
