package io.gatun.models.nn;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;

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
            y = cut(f, y, height, width);
          }
          return f.conv2d(y, conv);
        });
  }

  private static Tensor cut(Functional f, Tensor x, long height, long width) {
    var out = f.empty(x.dim(0), height, width, x.dim(3));
    long element = f.dtype().blockBytes();
    long row = width * x.dim(3) * element;
    for (long b = 0; b < x.dim(0); b++) {
      for (long h = 0; h < height; h++) {
        long from = (b * x.stride(0) + h * x.stride(1)) * element;
        MemorySegment.copy(x.segment(), from, out.segment(), (b * height + h) * row, row);
      }
    }
    return out;
  }
}
