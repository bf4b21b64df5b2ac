package io.gatun.models.image;

import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentColorModel;
import java.awt.image.Raster;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Turns Java's pictures into ours, sample by sample: no colour management, 16-bit samples by their
/// upper byte, as OpenCV and Pillow read files.
final class Samples {
  private Samples() {}

  /// A picture of any type; RGBA if it can be transparent, grey if it has one component.
  static Image toImage(BufferedImage picture) {
    int width = picture.getWidth();
    int height = picture.getHeight();
    ColorModel model = picture.getColorModel();
    return model instanceof ComponentColorModel
        ? ofComponents(picture.getRaster(), width, height)
        : ofColours(picture, width, height, model.hasAlpha() ? 4 : 3);
  }

  private static Image ofComponents(Raster raster, int width, int height) {
    int bands = raster.getNumBands();
    var shift = new int[bands];
    for (int b = 0; b < bands; b++) {
      shift[b] = Math.max(0, raster.getSampleModel().getSampleSize(b) - 8);
    }
    var memory = Image.allocate(width, height, bands);
    int[] row = null;
    for (int y = 0; y < height; y++) {
      row = raster.getPixels(raster.getMinX(), raster.getMinY() + y, width, 1, row);
      long at = (long) y * width * bands;
      for (int i = 0; i < row.length; i++) {
        memory.set(ValueLayout.JAVA_BYTE, at + i, (byte) (row[i] >> shift[i % bands]));
      }
    }
    return bands == 2 ? greyAlpha(memory, width, height) : Image.of(width, height, bands, memory);
  }

  /// Palettes and packed pixels, whose colours are sRGB already.
  private static Image ofColours(BufferedImage picture, int width, int height, int channels) {
    var memory = Image.allocate(width, height, channels);
    var row = new int[width];
    for (int y = 0; y < height; y++) {
      picture.getRGB(0, y, width, 1, row, 0, width);
      long at = (long) y * width * channels;
      for (int x = 0; x < width; x++, at += channels) {
        int argb = row[x];
        memory.set(ValueLayout.JAVA_BYTE, at, (byte) (argb >> 16));
        memory.set(ValueLayout.JAVA_BYTE, at + 1, (byte) (argb >> 8));
        memory.set(ValueLayout.JAVA_BYTE, at + 2, (byte) argb);
        if (channels == 4) {
          memory.set(ValueLayout.JAVA_BYTE, at + 3, (byte) (argb >> 24));
        }
      }
    }
    return Image.of(width, height, channels, memory);
  }

  /// Grey with alpha as RGBA.
  static Image greyAlpha(MemorySegment samples, int width, int height) {
    var memory = Image.allocate(width, height, 4);
    for (long i = 0; i < (long) width * height; i++) {
      byte grey = samples.get(ValueLayout.JAVA_BYTE, 2 * i);
      for (int c = 0; c < 3; c++) {
        memory.set(ValueLayout.JAVA_BYTE, 4 * i + c, grey);
      }
      byte alpha = samples.get(ValueLayout.JAVA_BYTE, 2 * i + 1);
      memory.set(ValueLayout.JAVA_BYTE, 4 * i + 3, alpha);
    }
    return Image.of(width, height, 4, memory);
  }
}
