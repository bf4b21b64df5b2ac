package io.gatun.models.image.webp;

import java.io.EOFException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Reads numbers of some bits, the lowest first.
final class BitReader {
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MemorySegment data;
  private long at;
  private long bits;
  private int size;

  BitReader(MemorySegment data) {
    this.data = data;
  }

  /// The next bits, at least 32 of them, zeros behind the end.
  int peek() {
    if (size < 32) {
      fill();
    }
    return (int) bits;
  }

  private void fill() {
    if (data.byteSize() - at >= Long.BYTES) {
      bits |= data.get(LONG, at) << size;
      int bytes = 63 - size >> 3;
      at += bytes;
      size += 8 * bytes;
      bits &= -1L >>> 64 - size;
    } else {
      while (size <= 48) {
        long next = at < data.byteSize() ? data.get(ValueLayout.JAVA_BYTE, at) & 0xFFL : 0;
        bits |= next << size;
        at++;
        size += 8;
      }
    }
  }

  void skip(int n) {
    bits >>>= n;
    size -= n;
  }

  /// @param n at most 31
  int read(int n) {
    int value = peek() & (1 << n) - 1;
    skip(n);
    return value;
  }

  boolean flag() {
    return read(1) != 0;
  }

  /// @throws EOFException if more was read than there is
  void check() throws EOFException {
    if (at - (size >> 3) > data.byteSize()) {
      throw new EOFException("its pixels end too early");
    }
  }
}
