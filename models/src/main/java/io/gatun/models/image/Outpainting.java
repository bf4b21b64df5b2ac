package io.gatun.models.image;

import java.lang.foreign.ValueLayout;

/// A picture with margins that are to be painted.
///
/// @param picture the given one, its edge pixels carried on into the margins
/// @param mask of the same size, white in the margins and black in the picture
public record Outpainting(Image picture, Image mask) {
  private static final int RGB = 3;

  /// Puts margins around a picture.
  ///
  /// @throws IllegalArgumentException if a margin is negative, or there is none
  public static Outpainting of(Image image, int left, int top, int right, int bottom) {
    if (Math.min(Math.min(left, right), Math.min(top, bottom)) < 0
        || left + top + right + bottom == 0) {
      throw new IllegalArgumentException(
          "margins of %d, %d, %d and %d pixels; need none below 0, and one above"
              .formatted(left, top, right, bottom));
    }
    Image rgb = image.rgb();
    int width = left + rgb.width() + right;
    int height = top + rgb.height() + bottom;
    if ((long) width * height > Image.MAX_PIXELS) {
      throw new IllegalArgumentException(
          "%d x %d pixels with margins; at most %d are possible"
              .formatted(width, height, Image.MAX_PIXELS));
    }
    var pixels = Image.allocate(width, height, RGB);
    var mask = Image.allocate(width, height, 1);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        int fromX = Math.clamp(x - left, 0, rgb.width() - 1);
        int fromY = Math.clamp(y - top, 0, rgb.height() - 1);
        long to = (long) y * width + x;
        long from = (long) fromY * rgb.width() + fromX;
        pixels.asSlice(to * RGB, RGB).copyFrom(rgb.pixels().asSlice(from * RGB, RGB));
        boolean inside = fromX == x - left && fromY == y - top;
        mask.set(ValueLayout.JAVA_BYTE, to, (byte) (inside ? 0 : -1));
      }
    }
    return new Outpainting(Image.of(width, height, RGB, pixels), Image.of(width, height, 1, mask));
  }
}
