package io.gatun.models.image.webp;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The transparency that lies beside a lossy picture.
///
/// Source: the WebP container specification, "Alpha".
final class Alpha {
  private static final int HORIZONTAL = 1;
  private static final int VERTICAL = 2;
  private static final int GRADIENT = 3;

  private final MemorySegment data;
  private final int width;
  private final int height;

  Alpha(MemorySegment data, int width, int height) {
    this.data = data;
    this.width = width;
    this.height = height;
  }

  /// Writes the fourth of each four bytes.
  void write(MemorySegment out) throws IOException {
    int flags = data.get(ValueLayout.JAVA_BYTE, 0);
    var body = data.asSlice(1);
    try (var arena = Arena.ofConfined()) {
      MemorySegment values;
      switch (flags & 3) {
        case 0 -> {
          if (body.byteSize() < (long) width * height) {
            throw new EOFException("its transparency ends too early");
          }
          values = body;
        }
        case 1 -> {
          values = arena.allocate((long) width * height);
          Vp8l.alpha(body, width, height).decode(values, 1);
        }
        default -> throw new IOException("its transparency is compressed in an unknown way");
      }
      unfilter(values, flags >> 2 & 3, out);
    }
  }

  /// Adds each value to what its neighbours let expect.
  private void unfilter(MemorySegment in, int filter, MemorySegment out) {
    var row = new byte[width];
    var above = new byte[width];
    for (int y = 0; y < height; y++) {
      var last = above;
      above = row;
      row = last;
      for (int x = 0; x < width; x++) {
        int left = x > 0 ? row[x - 1] & 0xFF : y > 0 ? above[0] & 0xFF : 0;
        int up = y > 0 ? above[x] & 0xFF : left;
        int expected =
            switch (filter) {
              case HORIZONTAL -> left;
              case VERTICAL -> up;
              case GRADIENT ->
                  x == 0 || y == 0
                      ? (x == 0 ? up : left)
                      : Math.clamp(left + up - (above[x - 1] & 0xFF), 0, 255);
              default -> 0;
            };
        long at = (long) y * width + x;
        row[x] = (byte) (in.get(ValueLayout.JAVA_BYTE, at) + expected);
        out.set(ValueLayout.JAVA_BYTE, 4 * at + 3, row[x]);
      }
    }
  }
}
