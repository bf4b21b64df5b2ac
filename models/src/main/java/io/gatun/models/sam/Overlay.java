package io.gatun.models.sam;

import io.gatun.models.image.Image;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Draws masks and prompts over an image: each mask in a colour of its own with a seam, points on
/// the object green, points beside it red, boxes in outline.
public final class Overlay {
  private static final int GREEN = 0x2ECC40;
  private static final int RED = 0xFF4136;
  private static final int WHITE = 0xFFFFFF;
  private static final double TINT = 0.45;

  private final int width;
  private final int height;
  private final MemorySegment pixels;
  private int masks;

  /// Draws on a copy of an image.
  public Overlay(Image image) {
    width = image.width();
    height = image.height();
    pixels = Arena.ofAuto().allocate((long) width * height * 3);
    pixels.copyFrom(image.rgb().pixels());
  }

  /// Colours a mask.
  ///
  /// @throws IllegalArgumentException if it has not the image's size
  public Overlay add(Mask mask) {
    mask.checkSize(width, height);
    int colour = colour(masks++);
    int stride = BitRows.stride(width);
    for (int i = 0; i < height * stride; i++) {
      for (long rest = mask.words()[i]; rest != 0; rest &= rest - 1) {
        int x = 64 * (i % stride) + Long.numberOfTrailingZeros(rest);
        int y = i / stride;
        blend(x, y, colour, isSeam(mask, x, y) ? 1 : TINT);
      }
    }
    return this;
  }

  private boolean isSeam(Mask mask, int x, int y) {
    return (x > 0 && !mask.get(x - 1, y))
        || (y > 0 && !mask.get(x, y - 1))
        || (x + 1 < width && !mask.get(x + 1, y))
        || (y + 1 < height && !mask.get(x, y + 1));
  }

  /// Marks a prompt's points and box.
  public Overlay add(Prompt prompt) {
    int size = Math.max(2, Math.max(width, height) / 160);
    float[] box = prompt.box();
    if (box != null) {
      outline(box, Math.max(1, size / 2));
    }
    float[] points = prompt.points();
    int[] labels = prompt.labels();
    for (int i = 0; i < labels.length; i++) {
      int colour = labels[i] == Prompt.BACKGROUND ? RED : GREEN;
      disc(points[2 * i], points[2 * i + 1], size + Math.max(1, size / 3), WHITE);
      disc(points[2 * i], points[2 * i + 1], size, colour);
    }
    return this;
  }

  /// The image with what was drawn so far.
  public Image toImage() {
    var copy = Arena.ofAuto().allocate(pixels.byteSize());
    copy.copyFrom(pixels);
    return Image.of(width, height, 3, copy);
  }

  private void disc(float centerX, float centerY, int radius, int colour) {
    for (int y = (int) centerY - radius; y <= centerY + radius; y++) {
      for (int x = (int) centerX - radius; x <= centerX + radius; x++) {
        double distance = Math.hypot(x - Math.floor(centerX), y - Math.floor(centerY));
        if (distance <= radius) {
          blend(x, y, colour, 1);
        }
      }
    }
  }

  private void outline(float[] box, int thickness) {
    int x0 = (int) box[0];
    int y0 = (int) box[1];
    int x1 = Math.min(width - 1, (int) box[2]);
    int y1 = Math.min(height - 1, (int) box[3]);
    for (int y = y0; y <= y1; y++) {
      for (int x = x0; x <= x1; x++) {
        int inside = Math.min(Math.min(x - x0, x1 - x), Math.min(y - y0, y1 - y));
        if (inside < thickness) {
          blend(x, y, GREEN, 1);
        }
      }
    }
  }

  /// Mixes a colour into a pixel, if there is one.
  private void blend(int x, int y, int colour, double share) {
    if (x < 0 || y < 0 || x >= width || y >= height) {
      return;
    }
    for (int c = 0; c < 3; c++) {
      long at = ((long) y * width + x) * 3 + c;
      int old = pixels.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
      int mixed = (colour >> (16 - 8 * c)) & 0xFF;
      pixels.set(ValueLayout.JAVA_BYTE, at, (byte) Math.round(old + (mixed - old) * share));
    }
  }

  /// Hues a golden section apart, so that any first few differ.
  private static int colour(int i) {
    double hue = (0.6 + i * 0.6180339887) % 1 * 6;
    int rgb = 0;
    for (int c = 0; c < 3; c++) {
      double distance = Math.abs((hue + 6 - 2 * c) % 6 - 3);
      // 1 far from the opposite colour, 0 at it.
      double value = Math.clamp(distance - 1, 0.1, 1);
      rgb |= (int) Math.round(255 * value) << (16 - 8 * c);
    }
    return rgb;
  }
}
