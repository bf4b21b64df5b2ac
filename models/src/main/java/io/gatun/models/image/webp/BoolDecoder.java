package io.gatun.models.image.webp;

import java.io.EOFException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Reads the yes and no of which VP8 is made, each with the probability that it was written with.
///
/// Source: RFC 6386, section 7.
final class BoolDecoder {
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  /// A writer may leave out zeros at the end.
  private static final int MISSING_BYTES = 4;

  private final MemorySegment data;
  private long at;

  /// `bits` more of the value lie below the eight that are compared.
  private long value;

  private int bits = -8;
  private int range = 255;

  BoolDecoder(MemorySegment data) {
    this.data = data;
  }

  /// @param probability of false, in 256ths
  boolean read(int probability) {
    if (bits < 0) {
      load();
    }
    int split = 1 + ((range - 1) * probability >> 8);
    long border = (long) split << bits;
    boolean bit = value >= border;
    if (bit) {
      range -= split;
      value -= border;
    } else {
      range = split;
    }
    int shift = Integer.numberOfLeadingZeros(range) - 24;
    range <<= shift;
    bits -= shift;
    return bit;
  }

  private void load() {
    if (data.byteSize() - at >= Integer.BYTES) {
      value = value << 32 | Integer.toUnsignedLong(data.get(INT, at));
      at += Integer.BYTES;
      bits += 32;
    } else {
      int next = at < data.byteSize() ? data.get(ValueLayout.JAVA_BYTE, at) & 0xFF : 0;
      value = value << 8 | next;
      at++;
      bits += 8;
    }
  }

  /// As likely as not.
  boolean flag() {
    return read(128);
  }

  /// A number of so many bits, the highest first.
  int number(int size) {
    int number = 0;
    for (int i = 0; i < size; i++) {
      number = number << 1 | (flag() ? 1 : 0);
    }
    return number;
  }

  /// Such a number with its sign behind it.
  int signed(int size) {
    int number = number(size);
    return flag() ? -number : number;
  }

  /// Such a number, or 0 where a flag says that it is left out.
  int optional(int size) {
    return flag() ? signed(size) : 0;
  }

  /// @throws EOFException if more was read than there is
  void check() throws EOFException {
    if (at > data.byteSize() + MISSING_BYTES) {
      throw new EOFException("its pixels end too early");
    }
  }
}
