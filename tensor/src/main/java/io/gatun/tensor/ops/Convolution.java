package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.scalar.ScalarConvolution;

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
    return into(f, x, w, epilogue, f.empty(ConvShape.of(x, w).outDims()));
  }

  /// Adds a convolution's result to y, and returns it.
  static Tensor add(Functional f, Tensor y, Tensor x, ConvWeight w) {
    Check.result("y", y, f.dtype(), ConvShape.of(x, w).outDims());
    return into(f, x, w, Epilogue.add(y), y);
  }

  /// Fills `out`, which may be the epilogue's residual, and returns it.
  private static Tensor into(Functional f, Tensor x, ConvWeight w, Epilogue epilogue, Tensor out) {
    Check.activations("x", x, f.dtype());
    var shape = ConvShape.of(x, w);
    epilogue.check(f, out);
    if (out.size() == 0) {
      return out;
    }
    boolean scalar = f.ops().backend() == Backend.SCALAR;
    try (var _ = f.scope()) {
      if (!scalar && w.isPatchwise()) {
        patchwise(f, x, w, shape, epilogue, out);
      } else if (scalar) {
        scalar(f, x, w, shape, new F32Epilogue(f, w.biasF32(), epilogue, out));
      } else if (f.usesOneDnn()) {
        new OneDnnConvolution(f, x, w, shape, epilogue, out).run();
      } else {
        new PatchConvolution(f, x, w, shape, new F32Epilogue(f, w.biasF32(), epilogue, out)).run();
      }
    }
    return out;
  }

  /// The linear layer that a convolution is whose kernels do not overlap: of pixels, where a kernel
  /// is one, or else of patches, which are as many values as the image's.
  private static void patchwise(
      Functional f, Tensor x, ConvWeight w, ConvShape s, Epilogue epilogue, Tensor out) {
    long[] rows = {s.batch(), s.outPixels(), s.outChannels()};
    var flat = out.reshape(rows);
    var residual = epilogue.residual();
    if (residual != null) {
      residual = epilogue.inPlace(out) ? flat : residual.reshape(rows);
    }
    var patches =
        s.taps() == 1
            ? x.reshape(rows[0], rows[1], s.channels())
            : Images.patches(f, x, s.outHeight(), s.outWidth(), w.stride());
    var rest = new Epilogue(epilogue.activation(), epilogue.columns(), residual);
    LinearLayer.into(f, patches, w.asLinear(), rest, flat);
  }

  private static void scalar(
      Functional f, Tensor x, ConvWeight w, ConvShape s, F32Epilogue epilogue) {
    var images = f.ops().empty(x.shape().dims());
    Unpack.toFloat(x.dtype(), x.segment(), 0, images.segment(), 0, x.size());
    var weights = w.f32(f);
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
