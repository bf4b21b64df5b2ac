package io.gatun.tensor.ops.conv;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.context.Check;

/// The sizes of one convolution: of `batch` images of (height, width, channels), to images of
/// (outHeight, outWidth, outChannels).
record ConvShape(
    int batch,
    int height,
    int width,
    int channels,
    int outHeight,
    int outWidth,
    int outChannels,
    int kernelHeight,
    int kernelWidth,
    int stride,
    ConvWeight.Padding padding) {

  /// @throws IllegalArgumentException if x is no batch of images that `w` can convolve
  static ConvShape of(Tensor x, ConvWeight w) {
    Check.rank("x", x, 4);
    Check.same("channels of x", x.dim(3), "input channels of the weight", w.inChannels());
    var p = w.padding();
    long roomDown = x.dim(1) + p.top() + p.bottom() - w.kernelHeight();
    long roomAcross = x.dim(2) + p.left() + p.right() - w.kernelWidth();
    if (roomDown < 0 || roomAcross < 0 || x.dim(1) == 0 || x.dim(2) == 0) {
      throw new IllegalArgumentException(
          "images of %d x %d with padding %s are smaller than the kernels of %d x %d"
              .formatted(x.dim(1), x.dim(2), p, w.kernelHeight(), w.kernelWidth()));
    }
    return new ConvShape(
        Math.toIntExact(x.dim(0)),
        Math.toIntExact(x.dim(1)),
        Math.toIntExact(x.dim(2)),
        Math.toIntExact(x.dim(3)),
        Math.toIntExact(roomDown / w.stride() + 1),
        Math.toIntExact(roomAcross / w.stride() + 1),
        Math.toIntExact(w.outChannels()),
        w.kernelHeight(),
        w.kernelWidth(),
        w.stride(),
        p);
  }

  /// The result's.
  long[] outDims() {
    return new long[] {batch, outHeight, outWidth, outChannels};
  }

  int outPixels() {
    return Math.multiplyExact(outHeight, outWidth);
  }

  /// The pixels of a kernel.
  int taps() {
    return kernelHeight * kernelWidth;
  }
}
