package io.gatun.models.image;

import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;

/// A picture of 8-bit grey, RGB or RGBA pixels, which never changes.
///
/// The pixels lie outside the heap, (H, W, C) from the top left corner, and are given back when
/// nothing refers to them any more.
///
/// Files are read as OpenCV and Pillow read them: samples as they are stored, with no regard to a
/// colour profile; of 16 bits the upper 8. A JPEG file is turned upright as its Exif orientation
/// says. Of an animation the first frame is read.
public final class Image {
  /// The most pixels that [#read(Path)] reads: a small file may claim to hold a huge picture.
  public static final long MAX_PIXELS = 100_000_000;

  private static final String[] MODES = {null, "grey", null, "RGB", "RGBA"};

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

  /// Reads a PNG, JPEG, BMP, GIF or WebP file of at most [#MAX_PIXELS] pixels.
  ///
  /// @throws ImageException if there is none, it is damaged, or it is larger
  public static Image read(Path file) {
    return read(file, MAX_PIXELS);
  }

  /// Reads a PNG, JPEG, BMP, GIF or WebP file. Its size is looked at before its pixels are decoded.
  ///
  /// @param maxPixels the most pixels, width x height
  /// @throws ImageException if there is no such image, it is damaged, or it has more pixels
  public static Image read(Path file, long maxPixels) {
    return new ImageReading(file, maxPixels).read(arena -> FileBytes.read(file, arena));
  }

  /// Reads a PNG, JPEG, BMP, GIF or WebP file that is in memory; its size is looked at first.
  ///
  /// @param maxPixels the most pixels, width x height
  /// @throws ImageException if it is no such image, it is damaged, or it has more pixels
  public static Image read(byte[] file, long maxPixels) {
    return new ImageReading("the image", maxPixels)
        .read(arena -> arena.allocateFrom(ValueLayout.JAVA_BYTE, file));
  }

  /// The named texts that a PNG file carries, see [#write(Path, Map)].
  ///
  /// @throws ImageException if there is no such PNG file, or it is damaged
  public static Map<String, String> readText(Path file) {
    return PngText.read(file);
  }

  /// A picture of pixels that nobody changes from now on.
  ///
  /// @param channels 1 for grey, 3 for RGB, 4 for RGBA
  /// @param pixels (height, width, channels) bytes
  /// @throws IllegalArgumentException if a side is less than 1, or `pixels` has another size
  public static Image of(int width, int height, int channels, MemorySegment pixels) {
    if (width < 1 || height < 1 || (channels != 1 && channels != 3 && channels != 4)) {
      throw new IllegalArgumentException(
          "an image of %d x %d pixels with %d channels; need at least 1 x 1 with 1, 3 or 4"
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

  /// 1 for grey, 3 for RGB, 4 for RGBA.
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

  /// The picture as RGB: alpha is dropped, not blended, as Pillow's `convert("RGB")` does.
  public Image rgb() {
    if (channels == 3) {
      return this;
    }
    var out = allocate(width, height, 3);
    for (long i = 0; i < (long) width * height; i++) {
      for (int c = 0; c < 3; c++) {
        long from = i * channels + (channels == 1 ? 0 : c);
        out.set(ValueLayout.JAVA_BYTE, 3 * i + c, pixels.get(ValueLayout.JAVA_BYTE, from));
      }
    }
    return of(width, height, 3, out);
  }

  /// The part from (x0, y0) up to but without (x1, y1).
  ///
  /// @throws IndexOutOfBoundsException if it is empty or reaches outside
  public Image crop(int x0, int y0, int x1, int y1) {
    if (x0 < 0 || y0 < 0 || x0 >= x1 || y0 >= y1 || x1 > width || y1 > height) {
      throw new IndexOutOfBoundsException("crop %d,%d,%d,%d of %s".formatted(x0, y0, x1, y1, this));
    }
    var out = allocate(x1 - x0, y1 - y0, channels);
    long row = (long) (x1 - x0) * channels;
    for (int y = y0; y < y1; y++) {
      long from = ((long) y * width + x0) * channels;
      MemorySegment.copy(pixels, from, out, (y - y0) * row, row);
    }
    return of(x1 - x0, y1 - y0, channels, out);
  }

  /// The picture in another size, [Filter#BILINEAR], computed on the calling thread.
  public Image resize(int newWidth, int newHeight) {
    return resize(newWidth, newHeight, Filter.BILINEAR, null);
  }

  /// The picture in another size, to the bit as Pillow makes it; the channels of RGBA are resized
  /// each for itself.
  ///
  /// @param workers who shares the work, or null for the calling thread alone
  public Image resize(int newWidth, int newHeight, Filter filter, Workers workers) {
    if (newWidth < 1 || newHeight < 1) {
      throw new IllegalArgumentException(
          "a size of %d x %d; need at least 1 x 1".formatted(newWidth, newHeight));
    }
    var out = Resample.run(pixels, width, height, channels, newWidth, newHeight, filter, workers);
    return of(newWidth, newHeight, channels, out);
  }

  /// Writes a PNG or JPEG file, as its name says; it appears whole or not at all.
  ///
  /// @throws ImageException if the name says neither, or the file cannot be written
  public void write(Path file) {
    write(file, Map.of());
  }

  /// Writes a PNG file that carries named texts, which [#readText] reads.
  ///
  /// @param text keyword to text; a keyword has 1 to 79 Latin-1 characters
  /// @throws ImageException if the file cannot be written, or is no PNG file and there are texts
  public void write(Path file, Map<String, String> text) {
    ImageWriting.write(this, file, text);
  }

  /// A PNG file in memory that carries named texts, as [#write(Path, Map)] writes it.
  public byte[] png(Map<String, String> text) {
    return ImageWriting.png(this, text);
  }

  /// Shows the picture in a window, or, where there is no display, writes it to a temporary PNG
  /// file.
  ///
  /// @return which of the two was done, in words
  public String show() {
    return Display.show(this);
  }

  /// `Image(640 x 480 RGB)`.
  @Override
  public String toString() {
    return "Image(%d x %d %s)".formatted(width, height, MODES[channels]);
  }
}
