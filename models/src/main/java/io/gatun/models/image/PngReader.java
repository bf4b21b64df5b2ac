package io.gatun.models.image;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/// PNG files row by row, so that a picture takes its own memory outside the heap and two rows in
/// it.
///
/// Samples of 16 bits give their upper byte, of fewer than 8 are spread over 0 to 255; what is
/// transparent in any way becomes RGBA.
///
/// Source: PNG specification, third edition.
final class PngReader {
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  /// How many bytes one compressed byte can be, at most.
  private static final int DEFLATE_RATIO = 1032;

  /// Samples a pixel, by colour type.
  private static final int[] SAMPLES = {1, 0, 3, 1, 2, 0, 4};

  private static final int PALETTE = 3;

  /// A part of the picture that is stored as a picture of its own: every `stepX`th pixel from `x`,
  /// every `stepY`th row from `y`.
  private record Pass(int x, int y, int stepX, int stepY) {
    int width(int all) {
      return Math.ceilDiv(all - x, stepX);
    }

    int height(int all) {
      return Math.ceilDiv(all - y, stepY);
    }
  }

  private static final List<Pass> WHOLE = List.of(new Pass(0, 0, 1, 1));
  private static final List<Pass> ADAM7 =
      List.of(
          new Pass(0, 0, 8, 8),
          new Pass(4, 0, 8, 8),
          new Pass(0, 4, 4, 8),
          new Pass(2, 0, 4, 4),
          new Pass(0, 2, 2, 4),
          new Pass(1, 0, 2, 2),
          new Pass(0, 1, 1, 2));

  private final PngChunks chunks;
  private final PngChunks.Chunk header;
  private final int width;
  private final int height;
  private final int depth;
  private final int colourType;
  private final List<Pass> passes;

  private byte[] palette = {};
  private byte[] paletteAlpha = {};

  /// The colour that is transparent, a number for each sample; null if none is.
  private int[] transparent;

  /// Reads what the file says of itself.
  PngReader(MemorySegment file) throws IOException {
    chunks = new PngChunks(file);
    header = chunks.next();
    if (!header.type().equals("IHDR") || header.unchecked().byteSize() != 13) {
      throw new IOException("it does not begin with a header");
    }
    // Its size counts before its check sum: what claims to be huge is called so.
    var data = header.unchecked();
    width = data.get(INT, 0);
    height = data.get(INT, 4);
    depth = data.get(ValueLayout.JAVA_BYTE, 8);
    colourType = data.get(ValueLayout.JAVA_BYTE, 9);
    int interlace = data.get(ValueLayout.JAVA_BYTE, 12);
    boolean known =
        switch (colourType) {
          case 0 -> depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
          case PALETTE -> depth == 1 || depth == 2 || depth == 4 || depth == 8;
          case 2, 4, 6 -> depth == 8 || depth == 16;
          default -> false;
        };
    if (!known
        || width < 1
        || height < 1
        || data.get(SHORT, 10) != 0
        || interlace < 0
        || interlace > 1) {
      throw new IOException("its header makes no sense");
    }
    passes = interlace == 0 ? WHOLE : ADAM7;
  }

  int width() {
    return width;
  }

  int height() {
    return height;
  }

  private int channels() {
    boolean clear = transparent != null || paletteAlpha.length > 0;
    return colourType == 0 && !clear ? 1 : colourType >= 4 || clear ? 4 : 3;
  }

  /// Decodes the pixels.
  Image read() throws IOException {
    header.data(); // checks it
    List<PngChunks.Chunk> data = untilPixelsEnd();
    long compressed = data.stream().mapToLong(c -> c.unchecked().byteSize()).sum();
    if (needed() > compressed * DEFLATE_RATIO) {
      throw new EOFException(
          "%,d bytes cannot hold the pixels of %d x %d".formatted(compressed, width, height));
    }
    if (colourType == PALETTE && (palette.length == 0 || palette.length % 3 != 0)) {
      throw new IOException("it has no palette");
    }
    var out = Image.allocate(width, height, channels());
    try (var rows = new PngRows(data)) {
      for (Pass pass : passes) {
        read(pass, rows, out);
      }
    }
    return Image.of(width, height, channels(), out);
  }

  /// The compressed pixels; remembers palette and transparency.
  private List<PngChunks.Chunk> untilPixelsEnd() throws IOException {
    var data = new ArrayList<PngChunks.Chunk>();
    while (true) {
      PngChunks.Chunk chunk;
      try {
        chunk = chunks.next();
      } catch (EOFException e) {
        return data; // whether something is missing the pixels will show
      }
      switch (chunk.type()) {
        case "PLTE" -> palette = chunk.data().toArray(ValueLayout.JAVA_BYTE);
        case "tRNS" -> readTransparency(chunk.data());
        case "IDAT" -> data.add(chunk);
        case "IEND" -> {
          return data;
        }
        default -> {} // says nothing of the pixels as they are stored
      }
    }
  }

  private void readTransparency(MemorySegment data) throws IOException {
    if (colourType == PALETTE) {
      paletteAlpha = data.toArray(ValueLayout.JAVA_BYTE);
    } else if (colourType == 0 || colourType == 2) {
      int samples = SAMPLES[colourType];
      if (data.byteSize() != 2L * samples) {
        throw new IOException("its transparent colour makes no sense");
      }
      transparent = new int[samples];
      for (int i = 0; i < samples; i++) {
        transparent[i] = data.get(SHORT, 2L * i) & 0xFFFF;
      }
    }
  }

  /// Bytes of all rows, each with its filter's number.
  private long needed() {
    long bytes = 0;
    for (Pass pass : passes) {
      if (pass.width(width) > 0) {
        bytes += pass.height(height) * (1 + rowBytes(pass.width(width)));
      }
    }
    return bytes;
  }

  private long rowBytes(int pixels) {
    return Math.ceilDiv((long) pixels * SAMPLES[colourType] * depth, 8L);
  }

  private void read(Pass pass, PngRows rows, MemorySegment out) throws IOException {
    int w = pass.width(width);
    int h = w == 0 ? 0 : pass.height(height);
    rows.begin(Math.toIntExact(rowBytes(w)), Math.max(1, SAMPLES[colourType] * depth / 8));
    int channels = channels();
    boolean asStored = passes.size() == 1 && depth == 8 && channels == SAMPLES[colourType];
    for (int i = 0; i < h; i++) {
      byte[] row = rows.next();
      long at = ((long) (pass.y + i * pass.stepY) * width + pass.x) * channels;
      if (asStored && colourType != PALETTE) {
        MemorySegment.copy(row, 0, out, ValueLayout.JAVA_BYTE, at, w * channels);
        continue;
      }
      for (int x = 0; x < w; x++, at += (long) pass.stepX * channels) {
        if (colourType == PALETTE) {
          putEntry(sample(row, x), out, at, channels);
        } else {
          putSamples(row, x, out, at, channels);
        }
      }
    }
  }

  /// A number as stored, 1 to 16 bits.
  private int sample(byte[] row, int i) {
    return switch (depth) {
      case 8 -> row[i] & 0xFF;
      case 16 -> (row[2 * i] & 0xFF) << 8 | row[2 * i + 1] & 0xFF;
      default -> row[i * depth >> 3] >> 8 - depth - (i * depth & 7) & (1 << depth) - 1;
    };
  }

  /// Indices behind the palette's end are black, as in libpng.
  private void putEntry(int index, MemorySegment out, long at, int channels) {
    for (int c = 0; c < 3; c++) {
      byte value = 3 * index + 2 < palette.length ? palette[3 * index + c] : 0;
      out.set(ValueLayout.JAVA_BYTE, at + c, value);
    }
    if (channels == 4) {
      byte alpha = index < paletteAlpha.length ? paletteAlpha[index] : -1;
      out.set(ValueLayout.JAVA_BYTE, at + 3, alpha);
    }
  }

  private void putSamples(byte[] row, int x, MemorySegment out, long at, int channels) {
    int samples = SAMPLES[colourType];
    int colours = samples < 3 ? 1 : 3;
    boolean isTransparent = transparent != null;
    for (int c = 0; c < Math.min(3, channels); c++) {
      int from = colours == 1 ? 0 : c;
      int value = sample(row, x * samples + from);
      isTransparent &= transparent == null || value == transparent[from];
      out.set(ValueLayout.JAVA_BYTE, at + c, toByte(value));
    }
    if (channels == 4) {
      byte alpha =
          samples % 2 == 0
              ? toByte(sample(row, x * samples + colours))
              : (byte) (isTransparent ? 0 : -1);
      out.set(ValueLayout.JAVA_BYTE, at + 3, alpha);
    }
  }

  private byte toByte(int value) {
    return (byte) (depth == 16 ? value >> 8 : value * 255 / ((1 << depth) - 1));
  }
}
