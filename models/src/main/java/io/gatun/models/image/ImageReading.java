package io.gatun.models.image;

import java.awt.image.ComponentColorModel;
import java.awt.image.ComponentSampleModel;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import javax.imageio.ImageReadParam;
import javax.imageio.ImageReader;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.stream.ImageInputStream;

/// Image files from outside: which kind, how large, then the pixels.
final class ImageReading {
  private static final List<String> FORMATS = List.of("png", "jpeg", "bmp", "gif", "webp");
  private static final long MAX_FILE = 1L << 30;

  private final Path file;
  private final long maxPixels;
  private final List<String> damage = new ArrayList<>();

  ImageReading(Path file, long maxPixels) {
    this.file = file;
    this.maxPixels = maxPixels;
  }

  Image read() {
    try (var arena = Arena.ofConfined()) {
      var bytes = contents(arena);
      try (var input = new FileInput(bytes)) {
        ImageReader reader = readerOf(input, bytes);
        try {
          reader.setInput(input, true, true);
          return decode(reader, bytes);
        } finally {
          reader.dispose();
        }
      }
    } catch (NoSuchFileException e) {
      throw new ImageException(file + ": there is no such file.", e);
    } catch (FileSystemException e) {
      throw new ImageException(
          file + ": cannot be read: " + (e.getReason() != null ? e.getReason() : "denied") + ".",
          e);
    } catch (IOException | RuntimeException e) {
      // Decoders meet damaged files with any exception.
      if (e instanceof ImageException known) {
        throw known;
      }
      throw damaged(e.getMessage() != null ? e.getMessage() : e.toString(), e);
    }
  }

  private MemorySegment contents(Arena arena) throws IOException {
    if (Files.isDirectory(file)) {
      throw new ImageException(file + ": is a directory; need an image file.");
    }
    try (var channel = FileChannel.open(file)) {
      long size = channel.size();
      if (size == 0 || size > MAX_FILE) {
        throw new ImageException(
            "%s: has %,d bytes; need an image file of 1 to %,d bytes."
                .formatted(file, size, MAX_FILE));
      }
      var bytes = arena.allocate(size);
      var buffer = bytes.asByteBuffer();
      while (buffer.hasRemaining()) {
        if (channel.read(buffer) < 0) {
          throw damaged("it got shorter while it was read", null);
        }
      }
      return bytes;
    }
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
    Image image;
    if (format(reader).equals("webp")) {
      checkRiffLength(bytes);
    }
    if (format(reader).equals("jpeg")) {
      image = decodeJpeg(reader, JpegHeader.of(bytes), width, height);
    } else {
      var type = reader.getImageTypes(0).next();
      image =
          format(reader).equals("png") && isBytes(type)
              ? decodeInPlace(reader, width, height, type.getNumBands())
              : Samples.toImage(reader.read(0));
    }
    if (!damage.isEmpty()) {
      throw damaged(damage.getFirst(), null);
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

  /// WebP's decoder takes what is cut off for zeros.
  private void checkRiffLength(MemorySegment bytes) {
    var length = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    long needed = 8 + Integer.toUnsignedLong(bytes.get(length, 4));
    if (bytes.byteSize() < needed) {
      throw damaged("it has %d bytes of %d".formatted(bytes.byteSize(), needed), null);
    }
  }

  private Image decodeJpeg(ImageReader reader, JpegHeader header, int width, int height)
      throws IOException {
    Image stored =
        header.components() == 4
            ? Inks.toImage(reader.readRaster(0, null), header.adobeTransform())
            : decodeInPlace(reader, width, height, header.components());
    int o = header.orientation();
    if (o == 1) {
      return stored;
    }
    var upright = Orientation.apply(stored.pixels(), width, height, stored.channels(), o);
    boolean swaps = Orientation.swapsSides(o);
    return Image.of(swaps ? height : width, swaps ? width : height, stored.channels(), upright);
  }

  private static boolean isBytes(ImageTypeSpecifier type) {
    return type.getSampleModel() instanceof ComponentSampleModel
        && type.getColorModel() instanceof ComponentColorModel
        && type.getBitsPerBand(0) == 8;
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
    return bands == 2
        ? Samples.greyAlpha(memory, width, height)
        : Image.of(width, height, bands, memory);
  }

  private ImageException damaged(String what, Throwable cause) {
    return new ImageException(
        "%s: is damaged or truncated: %s. Get the file again.".formatted(file, strip(what)), cause);
  }

  private static String strip(String message) {
    String line = message.lines().findFirst().orElse("").strip();
    return line.endsWith(".") ? line.substring(0, line.length() - 1) : line;
  }
}
