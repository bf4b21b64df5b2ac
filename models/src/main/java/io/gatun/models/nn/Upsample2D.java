package io.gatun.models.nn;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;

/// Doubles an image and smooths it by a convolution.
public final class Upsample2D {
  private final ConvWeight conv;

  public Upsample2D(Weights weights, int channels) {
    conv = weights.conv("conv", channels, channels, 3);
  }

  /// x (B, H, W, C), result (B, 2 H, 2 W, C).
  public Tensor forward(Functional f, Tensor x) {
    return forward(f, x, 2 * x.dim(1), 2 * x.dim(2));
  }

  /// x (B, H, W, C), result (B, height, width, C): twice the size, or one less where the image that
  /// was halved had an odd size. Nearest neighbours then are those of twice the size, cut off.
  public Tensor forward(Functional f, Tensor x, long height, long width) {
    return Scoped.call(
        f,
        () -> {
          var y = f.upsampleNearest2x(x); // (B, 2 H, 2 W, C)
          if (height != y.dim(1) || width != y.dim(2)) {
            y = f.cast(y.slice(1, 0, height).slice(2, 0, width));
          }
          return f.conv2d(y, conv);
        });
  }
}
