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

  /// 4 if it can be transparent, 1 if it has one component, else 3.
  static int channels(BufferedImage picture) {
    ColorModel model = picture.getColorModel();
    if (model.hasAlpha()) {
      return 4;
    }
    return model instanceof ComponentColorModel && model.getNumComponents() == 1 ? 1 : 3;
  }

  /// Copies a picture of any type to where its rows belong.
  ///
  /// @param at where its first pixel goes
  /// @param channels how many the memory has
  static void copy(BufferedImage picture, MemorySegment memory, long at, int channels) {
    if (picture.getColorModel() instanceof ComponentColorModel model
        && model.getNumComponents() == channels) {
      copyComponents(picture.getRaster(), memory, at);
    } else {
      copyColours(picture, memory, at, channels);
    }
  }

  private static void copyComponents(Raster raster, MemorySegment memory, long start) {
    int bands = raster.getNumBands();
    var shift = new int[bands];
    for (int b = 0; b < bands; b++) {
      shift[b] = Math.max(0, raster.getSampleModel().getSampleSize(b) - 8);
    }
    int[] row = null;
    long at = start;
    for (int y = 0; y < raster.getHeight(); y++) {
      row = raster.getPixels(raster.getMinX(), raster.getMinY() + y, raster.getWidth(), 1, row);
      for (int i = 0; i < row.length; i++) {
        memory.set(ValueLayout.JAVA_BYTE, at + i, (byte) (row[i] >> shift[i % bands]));
      }
      at += row.length;
    }
  }

  /// Palettes and packed pixels, whose colours are sRGB already.
  private static void copyColours(
      BufferedImage picture, MemorySegment memory, long start, int channels) {
    int width = picture.getWidth();
    var row = new int[width];
    long at = start;
    for (int y = 0; y < picture.getHeight(); y++) {
      picture.getRGB(0, y, width, 1, row, 0, width);
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
  }
}
