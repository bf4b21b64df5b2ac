package io.gatun.models.image;

import io.gatun.models.image.webp.WebP;
import java.awt.Rectangle;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import javax.imageio.ImageReadParam;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;

/// Image files from outside: which kind, how large, then the pixels.
final class ImageReading {
  private static final List<String> FORMATS = List.of("jpeg", "bmp", "gif");

  /// So many pixels are decoded on the heap at a time: decoders begin again for each part.
  private static final int STRIP_PIXELS = 12_000_000;

  /// The bytes of a file, for as long as the arena is open.
  interface Source {
    MemorySegment read(Arena arena) throws IOException;
  }

  private final Object file;
  private final long maxPixels;
  private final List<String> damage = new ArrayList<>();

  /// @param file its name, for messages
  ImageReading(Object file, long maxPixels) {
    this.file = file;
    this.maxPixels = maxPixels;
  }

  Image read(Source source) {
    try (var arena = Arena.ofConfined()) {
      var bytes = source.read(arena);
      if (PngChunks.isPng(bytes)) {
        var png = new PngReader(bytes);
        checkSize(png.width(), png.height());
        return png.read();
      }
      if (WebP.is(bytes)) {
        return decodeWebP(new WebP(bytes));
      }
      try (var input = new FileInput(bytes)) {
        ImageReader reader = readerOf(input, bytes);
        try {
          reader.setInput(input, true, true);
          return decode(reader, bytes);
        } finally {
          reader.dispose();
        }
      }
    } catch (IOException | RuntimeException | OutOfMemoryError e) {
      throw FileBytes.exception(file, e);
    }
  }

  private Image decodeWebP(WebP webp) throws IOException {
    checkSize(webp.width(), webp.height());
    var memory = Image.allocate(webp.width(), webp.height(), webp.channels());
    webp.decode(memory);
    return Image.of(webp.width(), webp.height(), webp.channels(), memory);
  }

  private ImageReader readerOf(ImageInputStream input, MemorySegment bytes) throws IOException {
    var readers = ImageIO.getImageReaders(input);
    while (readers.hasNext()) {
      ImageReader reader = readers.next();
      if (FORMATS.contains(format(reader))) {
        return reader;
      }
    }
    var start = bytes.asSlice(0, Math.min(12, bytes.byteSize()));
    throw new ImageException(
        ("%s: is no image that Gatun reads: it begins with the bytes %s; need PNG, JPEG, BMP, GIF"
                + " or WebP. Convert it to one of them.")
            .formatted(
                file, HexFormat.ofDelimiter(" ").formatHex(start.toArray(ValueLayout.JAVA_BYTE))));
  }

  private static String format(ImageReader reader) throws IOException {
    return reader.getFormatName().toLowerCase(Locale.ROOT);
  }

  private Image decode(ImageReader reader, MemorySegment bytes) throws IOException {
    int width = reader.getWidth(0);
    int height = reader.getHeight(0);
    checkSize(width, height);
    reader.addIIOReadWarningListener(
        (_, warning) -> {
          // What the JPEG decoder says before it fills the rest with grey.
          if (warning.contains("remature end") || warning.contains("Truncated")) {
            damage.add(warning);
          }
        });
    Image image =
        format(reader).equals("jpeg")
            ? decodeJpeg(reader, JpegHeader.of(bytes), width, height)
            : decodeStrips(reader, width, height);
    if (!damage.isEmpty()) {
      throw new IOException(damage.getFirst());
    }
    return image;
  }

  private void checkSize(int width, int height) {
    long pixels = (long) width * height;
    if (pixels > maxPixels) {
      throw new ImageException(
          ("%s: is %d x %d pixels, %,d in all; at most %,d are read, lest a small file fill the"
                  + " memory. Make it smaller, or raise the limit.")
              .formatted(file, width, height, pixels, maxPixels));
    }
  }

  private Image decodeJpeg(ImageReader reader, JpegHeader header, int width, int height)
      throws IOException {
    Image stored =
        header.components() == 4
            ? decodeInks(reader, header.adobeTransform(), width, height)
            : decodeInPlace(reader, width, height, header.components());
    int o = header.orientation();
    if (o == 1) {
      return stored;
    }
    var upright = Orientation.apply(stored.pixels(), width, height, stored.channels(), o);
    boolean swaps = Orientation.swapsSides(o);
    return Image.of(swaps ? height : width, swaps ? width : height, stored.channels(), upright);
  }

  /// Decoders that make pictures on the heap do so in parts.
  private static Image decodeStrips(ImageReader reader, int width, int height) throws IOException {
    MemorySegment memory = null;
    int channels = 0;
    for (var strip : strips(width, height)) {
      BufferedImage picture = reader.read(0, strip);
      if (memory == null) {
        channels = Samples.channels(picture);
        memory = Image.allocate(width, height, channels);
      }
      Samples.copy(picture, memory, (long) strip.getSourceRegion().y * width * channels, channels);
    }
    return Image.of(width, height, channels, memory);
  }

  private static Image decodeInks(ImageReader reader, int adobeTransform, int width, int height)
      throws IOException {
    var memory = Image.allocate(width, height, 3);
    for (var strip : strips(width, height)) {
      long at = (long) strip.getSourceRegion().y * width * 3;
      Inks.toRgb(reader.readRaster(0, strip), adobeTransform, memory, at);
    }
    return Image.of(width, height, 3, memory);
  }

  private static List<ImageReadParam> strips(int width, int height) {
    int rows = Math.max(1, STRIP_PIXELS / width);
    return IntStream.range(0, Math.ceilDiv(height, rows))
        .mapToObj(
            i -> {
              var param = new ImageReadParam();
              int y = i * rows;
              param.setSourceRegion(new Rectangle(0, y, width, Math.min(rows, height - y)));
              return param;
            })
        .toList();
  }

  /// Decodes 8-bit samples as they are, with no colour management, into an image's memory.
  private static Image decodeInPlace(ImageReader reader, int width, int height, int bands)
      throws IOException {
    var memory = Image.allocate(width, height, bands);
    ImageReadParam param = reader.getDefaultReadParam();
    int[] same = IntStream.range(0, bands).toArray();
    param.setSourceBands(same);
    param.setDestinationBands(same);
    param.setDestination(OffHeapRaster.image(memory, width, height, bands));
    reader.read(0, param);
    return Image.of(width, height, bands, memory);
  }
}
