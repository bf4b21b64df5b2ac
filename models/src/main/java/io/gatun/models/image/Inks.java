package io.gatun.models.image;

import java.awt.image.Raster;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// JPEG files in printing inks (CMYK, YCCK), without a colour profile, as Pillow converts them.
///
/// Source: Adobe technical note 5116 (inks are stored inverted, YCCK is CMY as inverted YCbCr);
/// Pillow's `cmyk2rgb` (R = (255 - K) - C (255 - K) / 255, rounded).
final class Inks {
  private static final int YCCK = 2;
  private static final int NOT_ADOBE = -1;

  private Inks() {}

  /// @param raster (H, W, 4) 8-bit samples as stored
  /// @param transform Adobe's transform; -1 if no Adobe program wrote the file
  /// @param memory takes (H, W, 3) bytes from `start`
  static void toRgb(Raster raster, int transform, MemorySegment memory, long start) {
    int width = raster.getWidth();
    int height = raster.getHeight();
    var row = new int[width * 4];
    for (int y = 0; y < height; y++) {
      raster.getPixels(raster.getMinX(), raster.getMinY() + y, width, 1, row);
      for (int x = 0; x < width; x++) {
        if (transform == YCCK) {
          toCmy(row, 4 * x);
        }
        boolean inverted = transform != NOT_ADOBE;
        int light = inverted ? row[4 * x + 3] : 255 - row[4 * x + 3];
        for (int c = 0; c < 3; c++) {
          int ink = inverted ? 255 - row[4 * x + c] : row[4 * x + c];
          int rgb = light - divideBy255(ink * light);
          long at = start + ((long) y * width + x) * 3 + c;
          memory.set(ValueLayout.JAVA_BYTE, at, (byte) Math.clamp(rgb, 0, 255));
        }
      }
    }
  }

  /// Replaces luminance and two colour differences at `at` by three inks (ITU-T T.871).
  private static void toCmy(int[] row, int at) {
    int luminance = row[at];
    int blue = row[at + 1] - 128;
    int red = row[at + 2] - 128;
    row[at] = 255 - round(luminance + 1.402 * red);
    row[at + 1] = 255 - round(luminance - 0.344136286 * blue - 0.714136286 * red);
    row[at + 2] = 255 - round(luminance + 1.772 * blue);
  }

  private static int round(double v) {
    return Math.clamp(Math.round(v), 0, 255);
  }

  /// Rounded division of 0 .. 255 * 255.
  private static int divideBy255(int v) {
    int t = v + 128;
    return ((t >> 8) + t) >> 8;
  }
}
