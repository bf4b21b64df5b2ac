package io.gatun.models.sam;

import io.gatun.models.image.Filter;
import io.gatun.models.image.Image;
import io.gatun.models.sam.config.SamConfig;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Makes the image encoder's input of an image: resized to fit, normalized, padded with zeros below
/// and to the right.
///
/// EfficientSAM stretches images by a bilinear interpolation without antialiasing, as PyTorch's
/// `interpolate` does.
final class Preprocess {
  private static final int VALUES = 256;

  private final int imgSize;
  private final boolean antialiased;
  private final Resize resize;
  private final float[] normalized = new float[3 * VALUES]; // of each value of each channel

  Preprocess(SamConfig config) {
    imgSize = config.imgSize();
    antialiased = config.kind() != SamConfig.Kind.EFFICIENT;
    resize = Resize.of(config);
    for (int c = 0; c < 3; c++) {
      for (int v = 0; v < VALUES; v++) {
        normalized[c * VALUES + v] = (v - config.pixelMean().get(c)) / config.pixelStd().get(c);
      }
    }
  }

  /// (1, imgSize, imgSize, 3) F32.
  Tensor input(Ops ops, Image image) {
    if (!antialiased) {
      var pixels = normalized(ops, image.rgb(), image.width(), image.height());
      return new Functional(ops, DType.Plain.F32).resizeBilinear(pixels, imgSize, imgSize);
    }
    int width = resize.width(image.width(), image.height());
    int height = resize.height(image.width(), image.height());
    var resized = image.rgb().resize(width, height, Filter.BILINEAR, ops.workers());
    return normalized(ops, resized, imgSize, imgSize);
  }

  /// (1, height, width, 3) F32 of an image that is not larger.
  private Tensor normalized(Ops ops, Image image, int width, int height) {
    var pixels = image.pixels();
    int samples = 3 * image.width();
    var out = ops.empty(1, height, width, 3);
    ops.workers()
        .forEach(
            height,
            8,
            (worker, from, to) -> {
              for (long y = from; y < to; y++) {
                boolean padding = y >= image.height();
                row(pixels, padding ? 0 : y * samples, padding ? 0 : samples, out, y);
              }
            });
    return out;
  }

  /// In arrays, which are read fast also before this is compiled.
  ///
  /// @param samples how many there are of the row, the rest being padding
  private void row(MemorySegment pixels, long at, int samples, Tensor out, long y) {
    var values = new byte[samples];
    var row = new float[Math.toIntExact(3 * out.dim(2))];
    MemorySegment.copy(pixels, ValueLayout.JAVA_BYTE, at, values, 0, samples);
    for (int i = 0; i < samples; i += 3) {
      row[i] = normalized[values[i] & 0xFF];
      row[i + 1] = normalized[VALUES + (values[i + 1] & 0xFF)];
      row[i + 2] = normalized[2 * VALUES + (values[i + 2] & 0xFF)];
    }
    long to = 4L * y * row.length;
    MemorySegment.copy(row, 0, out.segment(), ValueLayout.JAVA_FLOAT, to, row.length);
  }
}
