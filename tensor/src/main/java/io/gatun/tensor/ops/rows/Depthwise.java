package io.gatun.tensor.ops.rows;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;

/// Convolutions whose output channels see one input channel each; the same on every backend. A
/// pixel's channels lie together, so that the innermost loop goes over them.
public final class Depthwise {
  private Depthwise() {}

  public static Tensor apply(Context ctx, Tensor x, ConvWeight w) {
    Check.activations("x", x, ctx.dtype());
    Check.rank("x", x, 4);
    Check.same("channels of the weight", w.outChannels(), "channels", x.dim(3));
    Check.same("input channels of the weight", w.inChannels(), "channels seen by each", 1);
    var shape = Shape.of(x, w);
    var out = ctx.empty(x.dim(0), shape.outHeight, shape.outWidth, x.dim(3));
    var form = form(ctx, w);
    float[] weight = form.weight;
    float[] bias = form.bias;
    ctx.forEach(
        x.dim(0) * shape.outHeight,
        1,
        (_, from, to) -> {
          var pixels =
              new FloatRow(ctx.dtype(), Math.max(shape.width, shape.outWidth) * shape.channels);
          var in = new float[shape.width * shape.channels];
          var sums = new float[shape.outWidth * shape.channels];
          for (long row = from; row < to; row++) {
            for (int i = 0; i < shape.outWidth; i++) {
              System.arraycopy(bias, 0, sums, i * shape.channels, shape.channels);
            }
            for (int ky = 0; ky < w.kernelHeight(); ky++) {
              long y = row % shape.outHeight * w.stride() + ky - w.padding().top();
              if (y >= 0 && y < shape.height) {
                pixels.read(
                    x.segment(), (row / shape.outHeight * shape.height + y) * in.length, in);
                shape.add(in, weight, ky, sums);
              }
            }
            pixels.write(sums, out.segment(), row * sums.length);
          }
        });
    return out;
  }

  /// A weight as the loops read it.
  ///
  /// @param weight (ky, kx, C)
  /// @param bias (C)
  private record Form(float[] weight, float[] bias) {}

  /// It is kept from the first use on.
  private static Form form(Context ctx, ConvWeight w) {
    var kept = ctx.packed().form(w, Form.class, Form.class);
    if (kept != null) {
      return kept;
    }
    float[] bias =
        w.bias() == null ? new float[Math.toIntExact(w.outChannels())] : w.bias().toFloats();
    return ctx.packed().keep(w, Form.class, new Form(byPixels(w), bias));
  }

  /// The weight (C, 1, ky, kx) as (ky, kx, C).
  private static float[] byPixels(ConvWeight w) {
    float[] stored = w.weight().toFloats();
    int pixels = w.kernelHeight() * w.kernelWidth();
    int channels = stored.length / pixels;
    var out = new float[stored.length];
    for (int i = 0; i < stored.length; i++) {
      out[i % pixels * channels + i / pixels] = stored[i];
    }
    return out;
  }

  private record Shape(
      int height,
      int width,
      int channels,
      int outHeight,
      int outWidth,
      int kernelWidth,
      int stride,
      int left) {
    static Shape of(Tensor x, ConvWeight w) {
      int height = Math.toIntExact(x.dim(1));
      int width = Math.toIntExact(x.dim(2));
      var p = w.padding();
      int down = height + p.top() + p.bottom() - w.kernelHeight();
      int across = width + p.left() + p.right() - w.kernelWidth();
      if (down < 0 || across < 0) {
        throw new IllegalArgumentException(
            "x is %s; need at least the kernels' size, %d x %d"
                .formatted(x.shape(), w.kernelHeight(), w.kernelWidth()));
      }
      return new Shape(
          height,
          width,
          Math.toIntExact(x.dim(3)),
          down / w.stride() + 1,
          across / w.stride() + 1,
          w.kernelWidth(),
          w.stride(),
          p.left());
    }

    /// Adds what row `ky` of the kernels makes of a row of pixels.
    private void add(float[] in, float[] weight, int ky, float[] sums) {
      for (int kx = 0; kx < kernelWidth; kx++) {
        int w = (ky * kernelWidth + kx) * channels;
        for (int i = 0; i < outWidth; i++) {
          int x = i * stride + kx - left;
          if (x >= 0 && x < width) {
            add(in, x * channels, weight, w, sums, i * channels, channels);
          }
        }
      }
    }

    private static void add(
        float[] in, int from, float[] weight, int w, float[] sums, int to, int channels) {
      for (int c = 0; c < channels; c++) {
        sums[to + c] += in[from + c] * weight[w + c];
      }
    }
  }
}
