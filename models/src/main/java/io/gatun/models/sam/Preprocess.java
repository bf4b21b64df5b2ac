package io.gatun.models.sam;

import io.gatun.models.image.Filter;
import io.gatun.models.image.Image;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Makes the image encoder's input of an image: resized to fit, normalized, padded with zeros below
/// and to the right.
final class Preprocess {
  private static final int VALUES = 256;

  private final int imgSize;
  private final float[] normalized = new float[3 * VALUES]; // of each value of each channel

  Preprocess(SamConfig config) {
    imgSize = config.imgSize();
    for (int c = 0; c < 3; c++) {
      for (int v = 0; v < VALUES; v++) {
        normalized[c * VALUES + v] = (v - config.pixelMean().get(c)) / config.pixelStd().get(c);
      }
    }
  }

  /// (1, imgSize, imgSize, 3) F32.
  Tensor input(Ops ops, Image image) {
    var transform = new ResizeLongestSide(imgSize);
    int width = transform.width(image.width(), image.height());
    int height = transform.height(image.width(), image.height());
    var pixels = image.rgb().resize(width, height, Filter.BILINEAR, ops.workers()).pixels();
    var out = ops.empty(1, imgSize, imgSize, 3);
    ops.workers()
        .forEach(
            imgSize,
            8,
            (worker, from, to) -> {
              for (long y = from; y < to; y++) {
                row(pixels, y < height ? y * width * 3 : 0, y < height ? width * 3 : 0, out, y);
              }
            });
    return out;
  }

  /// @param samples how many there are of the row, the rest being padding
  private void row(MemorySegment pixels, long at, int samples, Tensor out, long y) {
    long to = y * imgSize * 3;
    for (int i = 0; i < samples; i++) {
      int value = Byte.toUnsignedInt(pixels.get(ValueLayout.JAVA_BYTE, at + i));
      out.segment().setAtIndex(ValueLayout.JAVA_FLOAT, to + i, normalized[i % 3 * VALUES + value]);
    }
    out.segment().asSlice(4 * (to + samples), 4L * (3 * imgSize - samples)).fill((byte) 0);
  }
}
