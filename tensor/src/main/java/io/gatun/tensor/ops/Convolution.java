package io.gatun.tensor.ops;

import io.gatun.ffm.OneDnn;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ScalarConvolution;
import io.gatun.tensor.kernel.Unpack;

/// Checks a convolution and chooses how it is done.
final class Convolution {
  private Convolution() {}

  /// Additions and multiplications.
  static long flops(Tensor x, ConvWeight w) {
    var shape = ConvShape.of(x, w);
    long taps = (long) w.kernelHeight() * w.kernelWidth() * w.inChannels();
    return 2 * taps * w.outChannels() * shape.batch() * shape.outPixels();
  }

  static Tensor apply(Functional f, Tensor x, ConvWeight w, Epilogue epilogue) {
    Check.activations("x", x, f.dtype());
    var shape = ConvShape.of(x, w);
    var out =
        f.empty(shape.batch(), shape.outHeight(), shape.outWidth(), shape.outChannels());
    check(f, epilogue, out);
    if (out.size() == 0) {
      return out;
    }
    try (var _ = f.scope()) {
      if (f.ops().backend() == Backend.SCALAR) {
        scalar(f, x, w, shape, new F32Epilogue(f, w.biasF32(), epilogue, out));
      } else if (f.ops().backend() == Backend.NATIVE && OneDnn.isAvailable()) {
        new OneDnnConvolution(f, x, w, shape, epilogue, out).run();
      } else {
        new PatchConvolution(f, x, w, shape, new F32Epilogue(f, w.biasF32(), epilogue, out)).run();
      }
    }
    return out;
  }

  private static void check(Functional f, Epilogue epilogue, Tensor out) {
    var columns = epilogue.columns();
    if (columns != null) {
      Check.activations("columns", columns, f.dtype());
      Check.rank("columns", columns, 2);
      Check.same("rows of columns", columns.dim(0), "images", out.dim(0));
      Check.same("columns", columns.dim(1), "output channels", out.dim(3));
    }
    var residual = epilogue.residual();
    if (residual != null) {
      Check.activations("residual", residual, f.dtype());
      if (!residual.shape().equals(out.shape())) {
        throw new IllegalArgumentException(
            "residual has shape %s; the convolution gives %s"
                .formatted(residual.shape(), out.shape()));
      }
    }
  }

  private static void scalar(
      Functional f, Tensor x, ConvWeight w, ConvShape s, F32Epilogue epilogue) {
    var images = f.ops().empty(x.shape().dims());
    Unpack.toFloat(x.dtype(), x.segment(), 0, images.segment(), 0, x.size());
    var weights = w.f32();
    int n = s.outChannels();
    var rows = f.ops().workspace().take(4L * n * f.ops().workers().threads());
    f.ops()
        .workers()
        .forEach(
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
