package io.gatun.models.vae;

import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;

/// A residual block of three convolutions, before which the middle of some networks adds a branch
/// that is normalized over the image.
final class AutoencoderTinyBlock {
  private static final int POOL_FACTOR = 4;
  private static final int POOL_GROUPS = 4;
  private static final float EPS = 1e-5f;

  private final ConvWeight conv0;
  private final ConvWeight conv2;
  private final ConvWeight conv4;
  private final Pool pool;

  private record Pool(LinearWeight widen, Tensor weight, Tensor bias, LinearWeight narrow) {
    Pool(Weights weights, long channels) {
      this(
          weights.linearWithoutBias("0", POOL_FACTOR * channels, channels),
          weights.tensor("1.weight", POOL_FACTOR * channels),
          weights.tensor("1.bias", POOL_FACTOR * channels),
          weights.linearWithoutBias("3", channels, POOL_FACTOR * channels));
    }

    /// x + narrow(relu(norm(widen(x))))
    Tensor forward(Functional f, Tensor x) {
      var wide = f.groupNorm(f.linear(x, widen), POOL_GROUPS, weight, bias, EPS, Activation.RELU);
      return f.linear(wide, narrow, Epilogue.add(x));
    }
  }

  AutoencoderTinyBlock(Weights weights, long channels) {
    conv0 = weights.conv("conv.0", channels, channels, 3);
    conv2 = weights.conv("conv.2", channels, channels, 3);
    conv4 = weights.conv("conv.4", channels, channels, 3);
    pool = weights.has("pool.0.weight") ? new Pool(weights.at("pool"), channels) : null;
  }

  /// relu(x + conv(relu(conv(relu(conv(x)))))): x (B, H, W, C).
  Tensor forward(Functional f, Tensor in) {
    return Scoped.call(
        f,
        () -> {
          var x = pool == null ? in : pool.forward(f, in);
          var h = f.conv2d(x, conv0, Epilogue.of(Activation.RELU));
          h = f.conv2d(h, conv2, Epilogue.of(Activation.RELU));
          return f.activate(f.conv2d(h, conv4, Epilogue.add(x)), Activation.RELU);
        });
  }
}
