package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.scalar.ScalarConvolution;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;

/// Checks a convolution and chooses how it is done.
final class Convolution {
  private Convolution() {}

  /// Additions and multiplications.
  static long flops(Tensor x, ConvWeight w) {
    var shape = ConvShape.of(x, w);
    long taps = (long) w.kernelHeight() * w.kernelWidth() * w.inChannels();
    return 2 * taps * w.outChannels() * shape.batch() * shape.outPixels();
  }

  static Tensor apply(Context ctx, Tensor x, ConvWeight w, Epilogue epilogue) {
    return into(ctx, x, w, epilogue, ctx.empty(ConvShape.of(x, w).outDims()));
  }

  /// Adds a convolution's result to y, and returns it.
  static Tensor add(Context ctx, Tensor y, Tensor x, ConvWeight w) {
    Check.result("y", y, ctx.dtype(), ConvShape.of(x, w).outDims());
    return into(ctx, x, w, Epilogue.add(y), y);
  }

  /// Fills `out`, which may be the epilogue's residual, and returns it.
  private static Tensor into(Context ctx, Tensor x, ConvWeight w, Epilogue epilogue, Tensor out) {
    Check.activations("x", x, ctx.dtype());
    var shape = ConvShape.of(x, w);
    epilogue.check(ctx, out);
    if (out.size() == 0) {
      return out;
    }
    boolean scalar = ctx.backend() == Backend.SCALAR;
    try (var _ = ctx.scope()) {
      if (!scalar && w.isPatchwise()) {
        patchwise(ctx, x, w, shape, epilogue, out);
      } else if (scalar) {
        scalar(ctx, x, w, shape, new F32Epilogue(ctx, w.biasF32(), epilogue, out));
      } else if (ctx.usesOneDnn()) {
        new OneDnnConvolution(ctx, x, w, shape, epilogue, out).run();
      } else {
        new PatchConvolution(ctx, x, w, shape, new F32Epilogue(ctx, w.biasF32(), epilogue, out))
            .run();
      }
    }
    return out;
  }

  /// The linear layer that a convolution is whose kernels do not overlap: of pixels, where a kernel
  /// is one, or else of patches, which are as many values as the image's.
  private static void patchwise(
      Context ctx, Tensor x, ConvWeight w, ConvShape s, Epilogue epilogue, Tensor out) {
    long[] rows = {s.batch(), s.outPixels(), s.outChannels()};
    var flat = out.reshape(rows);
    var residual = epilogue.residual();
    if (residual != null) {
      residual = epilogue.inPlace(out) ? flat : residual.reshape(rows);
    }
    var patches =
        s.taps() == 1
            ? x.reshape(rows[0], rows[1], s.channels())
            : Images.patches(ctx, x, s.outHeight(), s.outWidth(), w.stride());
    var rest = new Epilogue(epilogue.activation(), epilogue.columns(), residual);
    LinearLayer.into(ctx, patches, w.asLinear(), rest, flat);
  }

  private static void scalar(
      Context ctx, Tensor x, ConvWeight w, ConvShape s, F32Epilogue epilogue) {
    var images = ctx.f32(x.shape().dims());
    Unpack.toFloat(x.dtype(), x.segment(), 0, images.segment(), 0, x.size());
    var weights = w.f32(ctx);
    int n = s.outChannels();
    var rows = ctx.perWorker(4L * n);
    ctx.forEach(
        (long) s.batch() * s.outPixels(),
        1,
        (worker, from, to) -> {
          long at = 4L * n * worker;
          for (long pixel = from; pixel < to; pixel++) {
            ScalarConvolution.pixel(
                images.segment(),
                pixel / s.outPixels() * s.height(),
                s.height(),
                s.width(),
                s.channels(),
                weights,
                s.kernelHeight(),
                s.kernelWidth(),
                (int) (pixel % s.outPixels() / s.outWidth()) * s.stride() - s.padding().top(),
                (int) (pixel % s.outWidth()) * s.stride() - s.padding().left(),
                rows,
                at,
                n);
            epilogue.store(worker, rows, at, n, pixel, 1, 0, n);
          }
        });
  }
}
