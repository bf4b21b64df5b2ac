package io.gatun.models;

import io.gatun.models.pipeline.LatentSize;
import io.gatun.models.pipeline.Pipeline;

/// The sizes of images that a model can make.
record ImageSizes(Pipeline pipeline, LatentImages images) {
  /// SDXL's activations take about half a gigabyte for a million.
  private static final long MOST_PIXELS = 1L << 24;

  private static final long MOST_PIXELS_OF_BATCH = 4 * MOST_PIXELS;

  /// The side of the images that it was trained on.
  int usual() {
    return pipeline.sampleSize() * images.factor();
  }

  /// What sides must be multiples of.
  private int factor() {
    return images.factor() * pipeline.multiple();
  }

  /// The size that is asked for, or that of the pictures, or the model's own.
  ///
  /// @throws IllegalArgumentException if the model cannot make it
  LatentSize of(ImagineOptions o, GivenPictures pictures) {
    int factor = factor();
    int[] own = pictures.size(factor);
    int width = o.width != 0 ? o.width : own == null ? usual() : own[0];
    int height = o.height != 0 ? o.height : own == null ? usual() : own[1];
    if (width % factor != 0 || height % factor != 0) {
      throw new IllegalArgumentException(
          "a size of %d x %d; width and height must be multiples of %d, the nearest are %d x %d"
              .formatted(width, height, factor, nearest(width), nearest(height)));
    }
    long pixels = (long) width * height;
    if (pixels > MOST_PIXELS || pixels * o.batch > MOST_PIXELS_OF_BATCH) {
      throw new IllegalArgumentException(
          "a size of %d x %d for %d images; need at most %d pixels in an image, such as 4096 x 4096, and %d in all"
              .formatted(width, height, o.batch, MOST_PIXELS, MOST_PIXELS_OF_BATCH));
    }
    int pixel = images.factor();
    return new LatentSize(o.batch, height / pixel, width / pixel, images.channels(), pixel);
  }

  /// The nearest side in pixels that the model can make.
  int nearest(int size) {
    int factor = factor();
    return Math.max(1, (size + factor / 2) / factor) * factor;
  }
}
