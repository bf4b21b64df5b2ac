package io.gatun.models.nn;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;

/// A convolution that halves an image.
public final class Downsample2D {
  private final ConvWeight conv;

  /// @param padding zeros on every side; with 0 a row and a column of them at the bottom and right
  public Downsample2D(Weights weights, int channels, int padding) {
    conv =
        weights.conv(
            "conv",
            channels,
            channels,
            3,
            2,
            padding == 0 ? new ConvWeight.Padding(0, 0, 1, 1) : ConvWeight.Padding.of(padding));
  }

  /// x (B, H, W, C), result (B, H / 2, W / 2, C).
  public Tensor forward(Functional f, Tensor x) {
    return f.conv2d(x, conv);
  }
}
