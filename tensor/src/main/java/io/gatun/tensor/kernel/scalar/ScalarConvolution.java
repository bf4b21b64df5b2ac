package io.gatun.tensor.kernel.scalar;

import java.lang.foreign.MemorySegment;

/// The convolution that the others are tested against: the definition, pixel by pixel.
public final class ScalarConvolution {
  private ScalarConvolution() {}

  /// All channels of one pixel of the result, at `outAt`.
  ///
  /// @param x F32 images (..., width, channels)
  /// @param firstRow the row of x where the image begins
  /// @param weights F32 (outChannels, channels, kernelHeight, kernelWidth)
  /// @param top the row of the image under the kernel's first row; negative in the padding
  /// @param left the column under the kernel's first column
  public static void pixel(
      MemorySegment x,
      long firstRow,
      int height,
      int width,
      int channels,
      MemorySegment weights,
      int kernelHeight,
      int kernelWidth,
      int top,
      int left,
      MemorySegment out,
      long outAt,
      int outChannels) {
    for (int o = 0; o < outChannels; o++) {
      double sum = 0;
      for (int i = Math.max(0, -top); i < kernelHeight && top + i < height; i++) {
        for (int j = Math.max(0, -left); j < kernelWidth && left + j < width; j++) {
          long pixel = (firstRow + top + i) * width + left + j;
          for (int c = 0; c < channels; c++) {
            long weight = (((long) o * channels + c) * kernelHeight + i) * kernelWidth + j;
            sum += (double) Floats.get(x, 0, pixel * channels + c) * Floats.get(weights, 0, weight);
          }
        }
      }
      Floats.set(out, outAt, o, (float) sum);
    }
  }
}
