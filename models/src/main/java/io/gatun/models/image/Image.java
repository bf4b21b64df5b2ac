package io.gatun.models.image;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/// A picture of 8-bit RGB or RGBA pixels, which never changes.
///
/// The pixels lie outside the heap, (H, W, C) from the top left corner, and are given back when
/// nothing refers to them any more.
public final class Image {
  private final int width;
  private final int height;
  private final int channels;
  private final MemorySegment pixels;

  private Image(int width, int height, int channels, MemorySegment pixels) {
    this.width = width;
    this.height = height;
    this.channels = channels;
    this.pixels = pixels.asReadOnly();
  }

  /// A picture of pixels that nobody changes from now on.
  ///
  /// @param channels 3 for RGB, 4 for RGBA
  /// @param pixels (height, width, channels) bytes
  /// @throws IllegalArgumentException if a side is less than 1, or `pixels` has another size
  public static Image of(int width, int height, int channels, MemorySegment pixels) {
    if (width < 1 || height < 1 || (channels != 3 && channels != 4)) {
      throw new IllegalArgumentException(
          "an image of %d x %d pixels with %d channels; need at least 1 x 1 with 3 or 4"
              .formatted(width, height, channels));
    }
    long bytes = Math.multiplyExact((long) width * height, (long) channels);
    if (pixels.byteSize() != bytes) {
      throw new IllegalArgumentException(
          "%d bytes for an image of %d x %d x %d, which takes %d"
              .formatted(pixels.byteSize(), height, width, channels, bytes));
    }
    return new Image(width, height, channels, pixels);
  }

  /// Zeroed memory for the pixels of one picture.
  static MemorySegment allocate(int width, int height, int channels) {
    return Arena.ofAuto().allocate((long) width * height * channels, 64);
  }

  public int width() {
    return width;
  }

  public int height() {
    return height;
  }

  /// 3 for RGB, 4 for RGBA.
  public int channels() {
    return channels;
  }

  /// The pixels, (H, W, C) bytes, to read only.
  public MemorySegment pixels() {
    return pixels;
  }

  /// One byte of a pixel, 0 to 255.
  ///
  /// @throws IndexOutOfBoundsException if there is no such pixel or channel
  public int get(int x, int y, int channel) {
    Objects.checkIndex(x, width);
    Objects.checkIndex(y, height);
    Objects.checkIndex(channel, channels);
    long at = ((long) y * width + x) * channels + channel;
    return Byte.toUnsignedInt(pixels.get(ValueLayout.JAVA_BYTE, at));
  }

  /// `Image(640 x 480 RGB)`.
  @Override
  public String toString() {
    return "Image(%d x %d %s)".formatted(width, height, channels == 3 ? "RGB" : "RGBA");
  }
}
