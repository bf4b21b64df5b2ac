package io.gatun.models.image;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;

/// The parts of a PNG file, one after the other.
///
/// Source: PNG specification, third edition, section 5.
final class PngChunks {
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
  private static final long SIGNATURE = 0x89504E470D0A1A0AL;

  /// Length, type and check sum.
  private static final int AROUND = 12;

  /// @param type four letters
  /// @param whole type, data and check sum
  record Chunk(String type, MemorySegment whole) {
    /// What it holds.
    ///
    /// @throws IOException if that is not what its check sum was made of
    MemorySegment data() throws IOException {
      long length = whole.byteSize() - 4;
      var crc = new CRC32();
      crc.update(whole.asSlice(0, length).asByteBuffer());
      if ((int) crc.getValue() != whole.get(INT, length)) {
        throw new IOException("the check sum of its part %s is wrong".formatted(type));
      }
      return unchecked();
    }

    MemorySegment unchecked() {
      return whole.asSlice(4, whole.byteSize() - 8);
    }
  }

  private final MemorySegment file;
  private long at = Long.BYTES;

  /// @param file that begins as PNG files do, see [#isPng]
  PngChunks(MemorySegment file) {
    this.file = file;
  }

  static boolean isPng(MemorySegment file) {
    return file.byteSize() >= Long.BYTES
        && file.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN), 0)
            == SIGNATURE;
  }

  /// The next part, `IEND` at last.
  ///
  /// @throws IOException if the file ends before it
  Chunk next() throws IOException {
    if (file.byteSize() - at < AROUND) {
      throw new EOFException("it ends without the mark of its end");
    }
    long length = Integer.toUnsignedLong(file.get(INT, at));
    if (length > file.byteSize() - at - AROUND) {
      throw new EOFException("it ends within a part");
    }
    var whole = file.asSlice(at + 4, length + 8);
    at += length + AROUND;
    byte[] type = whole.asSlice(0, 4).toArray(ValueLayout.JAVA_BYTE);
    for (byte letter : type) {
      if (!Character.isLetter(letter & 0xFF) || letter < 0) {
        throw new IOException("there is no part where one should begin");
      }
    }
    return new Chunk(new String(type, StandardCharsets.US_ASCII), whole);
  }
}
