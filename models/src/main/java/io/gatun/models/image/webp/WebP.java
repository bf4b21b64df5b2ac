package io.gatun.models.image.webp;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// A WebP file; of an animation its first frame.
///
/// Source: the WebP container specification.
public final class WebP {
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int RIFF = fourCc("RIFF");
  private static final int WEBP = fourCc("WEBP");
  private static final int HEADER = 12;
  private static final int CHUNK = 8;
  private static final int FRAME = 16;

  private final MemorySegment file;
  private int width;
  private int height;
  private boolean hasAlpha;

  /// Where the frame lies in the picture.
  private int left;

  private int top;

  private MemorySegment alpha;
  private Vp8Frame lossy;
  private Vp8l lossless;

  /// Reads what the file says of itself.
  ///
  /// @param bytes that begin as WebP files do, see [#is]
  /// @throws IOException if it is damaged
  public WebP(MemorySegment bytes) throws IOException {
    long size = CHUNK + Integer.toUnsignedLong(bytes.get(INT, 4));
    if (bytes.byteSize() < size) {
      throw new EOFException("it has %d bytes of %d".formatted(bytes.byteSize(), size));
    }
    file = bytes.asSlice(0, size);
    readChunks(file.asSlice(HEADER), true);
    if (lossy == null && lossless == null) {
      throw new IOException("it holds no picture");
    }
    int frameWidth = lossy != null ? lossy.width() : lossless.width();
    int frameHeight = lossy != null ? lossy.height() : lossless.height();
    if (width == 0) {
      width = frameWidth;
      height = frameHeight;
      hasAlpha = lossless != null && lossless.hasAlpha();
    } else if (left + frameWidth > width || top + frameHeight > height) {
      throw new IOException("its frame reaches beyond the picture");
    }
  }

  /// Whether a file begins as WebP files do.
  public static boolean is(MemorySegment bytes) {
    return bytes.byteSize() > HEADER && bytes.get(INT, 0) == RIFF && bytes.get(INT, 8) == WEBP;
  }

  public int width() {
    return width;
  }

  public int height() {
    return height;
  }

  /// 4 if it can be transparent, else 3.
  public int channels() {
    return hasAlpha ? 4 : 3;
  }

  private void readChunks(MemorySegment chunks, boolean mayHoldFrames) throws IOException {
    for (long at = 0; at + CHUNK <= chunks.byteSize() && lossy == null && lossless == null; ) {
      int type = chunks.get(INT, at);
      long size = Integer.toUnsignedLong(chunks.get(INT, at + 4));
      if (size > chunks.byteSize() - at - CHUNK) {
        throw new EOFException("it ends within a part");
      }
      var data = chunks.asSlice(at + CHUNK, size);
      if (type == fourCc("VP8X") && size >= 10) {
        hasAlpha = (data.get(ValueLayout.JAVA_BYTE, 0) & 0x10) != 0;
        width = 1 + (data.get(INT, 4) & 0xFFFFFF);
        height = 1 + (data.get(INT, 6) >>> 8);
      } else if (type == fourCc("ANMF") && size >= FRAME && mayHoldFrames) {
        left = 2 * (data.get(INT, 0) & 0xFFFFFF);
        top = 2 * (data.get(INT, 2) >>> 8);
        readChunks(data.asSlice(FRAME), false);
      } else if (type == fourCc("ALPH") && size > 0) {
        alpha = data;
      } else if (type == fourCc("VP8 ")) {
        lossy = new Vp8Frame(data);
      } else if (type == fourCc("VP8L")) {
        lossless = Vp8l.picture(data);
      }
      at += CHUNK + size + (size & 1);
    }
  }

  private static int fourCc(String letters) {
    return letters.charAt(0)
        | letters.charAt(1) << 8
        | letters.charAt(2) << 16
        | letters.charAt(3) << 24;
  }

  /// Decodes the pixels, (height, width, channels) bytes, which are 0 before.
  ///
  /// @throws IOException if they are damaged
  public void decode(MemorySegment out) throws IOException {
    int w = lossy != null ? lossy.width() : lossless.width();
    int h = lossy != null ? lossy.height() : lossless.height();
    if (w == width && h == height) {
      decodeFrame(out);
      return;
    }
    try (var arena = Arena.ofConfined()) {
      var frame = arena.allocate((long) w * h * channels());
      decodeFrame(frame);
      long row = (long) w * channels();
      for (int y = 0; y < h; y++) {
        long to = ((long) (top + y) * width + left) * channels();
        MemorySegment.copy(frame, y * row, out, to, row);
      }
    }
  }

  private void decodeFrame(MemorySegment out) throws IOException {
    if (lossless != null) {
      lossless.decode(out, channels());
      return;
    }
    lossy.decode(out, channels());
    if (alpha != null && hasAlpha) {
      new Alpha(alpha, lossy.width(), lossy.height()).write(out);
    }
  }
}
