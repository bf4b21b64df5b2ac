package io.gatun.models.image;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Turns a picture upright that a camera stored otherwise.
///
/// Source: Exif 2.3, tag 0x0112.
final class Orientation {
  private static final int TILE = 32;

  private Orientation() {}

  /// Whether width and height change places.
  static boolean swapsSides(int orientation) {
    return orientation >= 5;
  }

  /// The pixels turned upright.
  ///
  /// @param width the stored width
  /// @param height the stored height
  /// @param orientation 2 to 8
  static MemorySegment apply(
      MemorySegment in, int width, int height, int channels, int orientation) {
    boolean swaps = swapsSides(orientation);
    int w = swaps ? height : width;
    int h = swaps ? width : height;
    // Pixel (x, y) of the upright picture was stored at start + x * right + y * down.
    boolean fromRight =
        switch (orientation) {
          case 2, 3, 7, 8 -> true;
          default -> false;
        };
    boolean fromBottom =
        switch (orientation) {
          case 3, 4, 6, 7 -> true;
          default -> false;
        };
    long start = (fromRight ? width - 1L : 0) + (fromBottom ? (height - 1L) * width : 0);
    long alongRow = fromRight ? -1 : 1;
    long alongColumn = fromBottom ? -width : width;
    long right = swaps ? alongColumn : alongRow;
    long down = swaps ? alongRow : alongColumn;
    var out = Image.allocate(w, h, channels);
    // In tiles, as one of the two pictures is walked against its rows.
    for (int top = 0; top < h; top += TILE) {
      for (int left = 0; left < w; left += TILE) {
        for (int y = top; y < Math.min(h, top + TILE); y++) {
          for (int x = left; x < Math.min(w, left + TILE); x++) {
            long from = (start + x * right + y * down) * channels;
            long to = ((long) y * w + x) * channels;
            for (int c = 0; c < channels; c++) {
              out.set(ValueLayout.JAVA_BYTE, to + c, in.get(ValueLayout.JAVA_BYTE, from + c));
            }
          }
        }
      }
    }
    return out;
  }
}
