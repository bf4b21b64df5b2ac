package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.ALL;
import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.scalar.Floats.FLOAT;
import static io.gatun.tensor.kernel.scalar.Floats.SHORT;

import io.gatun.tensor.kernel.scalar.Floats;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/// Bilinear interpolation of NHWC images, with half-pixel centres: of m input pixels, output pixel
/// i of n lies at `(i + 0.5) * m / n - 0.5`, and what lies outside is the nearest pixel.
public final class Bilinear {
  private Bilinear() {}

  /// Output row `y` of `outHeight` of one image, at `outAt`, from the (height, width, channels)
  /// image at `xAt`.
  ///
  /// @param bf16 whether the elements are BF16 rather than F32
  public static void row(
      boolean bf16,
      MemorySegment x,
      long xAt,
      int height,
      int width,
      int channels,
      MemorySegment out,
      long outAt,
      int y,
      int outHeight,
      int outWidth) {
    int bytes = bf16 ? 2 : 4;
    long image = address(x, xAt, (long) height * width * channels * bytes);
    long to = address(out, outAt, (long) outWidth * channels * bytes);
    float sy = source(y, height, outHeight);
    int y0 = (int) sy;
    long upper = image + (long) y0 * width * channels * bytes;
    long lower = image + (long) Math.min(y0 + 1, height - 1) * width * channels * bytes;
    for (int i = 0; i < outWidth; i++) {
      float sx = source(i, width, outWidth);
      int x0 = (int) sx;
      long left = (long) x0 * channels * bytes;
      long right = (long) Math.min(x0 + 1, width - 1) * channels * bytes;
      for (int c = 0; c < channels; c++) {
        long at = (long) c * bytes;
        float value =
            blend(
                blend(get(bf16, upper + left + at), get(bf16, upper + right + at), sx - x0),
                blend(get(bf16, lower + left + at), get(bf16, lower + right + at), sx - x0),
                sy - y0);
        set(bf16, to + at, value);
      }
      to += (long) channels * bytes;
    }
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(out);
  }

  private static float source(int i, int size, int outSize) {
    return Math.max(0, (i + 0.5f) * ((float) size / outSize) - 0.5f);
  }

  private static float blend(float a, float b, float weight) {
    return a * (1 - weight) + b * weight;
  }

  private static float get(boolean bf16, long address) {
    return bf16 ? Floats.bf16ToFloat(ALL.get(SHORT, address)) : ALL.get(FLOAT, address);
  }

  private static void set(boolean bf16, long address, float value) {
    if (bf16) {
      ALL.set(SHORT, address, Floats.floatToBf16(value));
    } else {
      ALL.set(FLOAT, address, value);
    }
  }
}
