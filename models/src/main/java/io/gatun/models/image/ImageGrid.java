package io.gatun.models.image;

import java.util.List;

/// Images of one size side by side, in about as many rows as columns.
public final class ImageGrid {
  private ImageGrid() {}

  /// One image of several, from the left to the right and down; black where there are no more.
  ///
  /// @throws IllegalArgumentException if there are none, or of different sizes
  public static Image of(List<Image> images) {
    if (images.isEmpty()) {
      throw new IllegalArgumentException("no images; a grid needs one at least");
    }
    int width = images.getFirst().width();
    int height = images.getFirst().height();
    int columns = (int) Math.ceil(Math.sqrt(images.size()));
    int rows = Math.ceilDiv(images.size(), columns);
    var pixels = Image.allocate(columns * width, rows * height, 3);
    for (int i = 0; i < images.size(); i++) {
      Image image = images.get(i).rgb();
      if (image.width() != width || image.height() != height) {
        throw new IllegalArgumentException(
            "images of %d x %d and %d x %d; a grid needs one size"
                .formatted(width, height, image.width(), image.height()));
      }
      for (int y = 0; y < height; y++) {
        long to = ((long) (i / columns * height + y) * columns + i % columns) * width * 3;
        pixels.asSlice(to, 3L * width).copyFrom(image.pixels().asSlice(3L * y * width, 3L * width));
      }
    }
    return Image.of(columns * width, rows * height, 3, pixels);
  }
}
