package io.gatun.models.image;

import java.io.EOFException;
import java.io.IOException;
import java.util.List;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/// A PNG picture's rows, decompressed one at a time and freed of their filters.
///
/// Source: PNG specification, third edition, sections 9 and 10.
final class PngRows implements AutoCloseable {
  private final List<PngChunks.Chunk> data;
  private final Inflater inflater = new Inflater();
  private int nextChunk;

  private byte[] row;
  private byte[] above;
  private int pixelBytes;

  PngRows(List<PngChunks.Chunk> data) {
    this.data = data;
  }

  /// Begins a picture, or a pass of one.
  ///
  /// @param rowBytes of a row without its filter's number
  /// @param pixelBytes how far back a sample's left neighbour is
  void begin(int rowBytes, int pixelBytes) {
    row = new byte[rowBytes];
    above = new byte[rowBytes];
    this.pixelBytes = pixelBytes;
  }

  /// The next row, to be read before the one after the next is asked for.
  byte[] next() throws IOException {
    byte[] last = row;
    row = above;
    above = last;
    var filter = new byte[1];
    fill(filter);
    fill(row);
    unfilter(filter[0]);
    return row;
  }

  private void fill(byte[] bytes) throws IOException {
    try {
      for (int n = 0; n < bytes.length; ) {
        int more = inflater.inflate(bytes, n, bytes.length - n);
        n += more;
        if (more == 0) {
          if (inflater.finished() || inflater.needsDictionary() || nextChunk == data.size()) {
            throw new EOFException("its pixels end too early");
          }
          inflater.setInput(data.get(nextChunk++).data().asByteBuffer());
        }
      }
    } catch (DataFormatException e) {
      throw new IOException("its pixels cannot be decompressed: " + e.getMessage(), e);
    }
  }

  private void unfilter(int filter) throws IOException {
    switch (filter) {
      case 0 -> {} // as it is
      case 1 -> {
        for (int i = pixelBytes; i < row.length; i++) {
          row[i] += row[i - pixelBytes];
        }
      }
      case 2 -> {
        for (int i = 0; i < row.length; i++) {
          row[i] += above[i];
        }
      }
      case 3 -> {
        for (int i = 0; i < row.length; i++) {
          int left = i < pixelBytes ? 0 : row[i - pixelBytes] & 0xFF;
          row[i] += (byte) (left + (above[i] & 0xFF) >> 1);
        }
      }
      case 4 -> {
        for (int i = 0; i < row.length; i++) {
          boolean first = i < pixelBytes;
          int left = first ? 0 : row[i - pixelBytes] & 0xFF;
          int corner = first ? 0 : above[i - pixelBytes] & 0xFF;
          row[i] += (byte) paeth(left, above[i] & 0xFF, corner);
        }
      }
      default -> throw new IOException("a row has the unknown filter " + filter);
    }
  }

  /// Which of three neighbours is nearest to left + up - corner.
  private static int paeth(int left, int up, int corner) {
    int toLeft = Math.abs(up - corner);
    int toUp = Math.abs(left - corner);
    int toCorner = Math.abs(left + up - 2 * corner);
    return toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
  }

  @Override
  public void close() {
    inflater.end();
  }
}
