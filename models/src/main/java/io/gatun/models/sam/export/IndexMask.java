package io.gatun.models.sam.export;

import io.gatun.models.sam.Mask;
import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;

/// Masks of several objects in one picture: a PNG file whose pixels are the objects' numbers, 0 for
/// none, with a palette that shows them apart, as DAVIS and Pascal VOC have it.
public final class IndexMask {
  /// The largest number.
  public static final int MAX = 255;

  private final BufferedImage image;

  /// A picture without objects.
  public IndexMask(int width, int height) {
    image = new BufferedImage(width, height, BufferedImage.TYPE_BYTE_INDEXED, palette());
  }

  /// Of masks 1, 2, ..., the smaller ones on top.
  ///
  /// @throws IllegalArgumentException if they have not the same size, or are more than 255
  public static IndexMask of(int width, int height, List<Mask> masks) {
    var all = new IndexMask(width, height);
    masks.stream()
        .sorted((a, b) -> Integer.compare(b.area(), a.area()))
        .forEach(mask -> all.add(mask, masks.indexOf(mask) + 1));
    return all;
  }

  /// Draws an object over what is there.
  ///
  /// @param number 1 to 255
  public IndexMask add(Mask mask, int number) {
    mask.checkSize(image.getWidth(), image.getHeight());
    if (number < 1 || number > MAX) {
      throw new IllegalArgumentException(
          "object %d in a picture of numbers; need 1 to %d".formatted(number, MAX));
    }
    var raster = image.getRaster();
    for (int y = 0; y < image.getHeight(); y++) {
      for (int x = 0; x < image.getWidth(); x++) {
        if (mask.get(x, y)) {
          raster.setSample(x, y, 0, number);
        }
      }
    }
    return this;
  }

  /// Pascal VOC's: the bits of a number, lowest first, give the high bits of red, green and blue by
  /// turns.
  private static IndexColorModel palette() {
    var colours = new byte[3][MAX + 1];
    for (int i = 0; i <= MAX; i++) {
      for (int bit = 0; bit < 8; bit++) {
        colours[bit % 3][i] |= (byte) ((i >> bit & 1) << (7 - bit / 3));
      }
    }
    return new IndexColorModel(8, MAX + 1, colours[0], colours[1], colours[2]);
  }

  /// Writes a PNG file.
  ///
  /// @throws UncheckedIOException if it cannot be written
  public void write(Path file) {
    try {
      ImageIO.write(image, "png", file.toFile());
    } catch (IOException e) {
      throw new UncheckedIOException(file + " cannot be written: " + e.getMessage(), e);
    }
  }
}
