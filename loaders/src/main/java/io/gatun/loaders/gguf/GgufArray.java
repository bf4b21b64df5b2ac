package io.gatun.loaders.gguf;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.AbstractList;
import java.util.Objects;
import java.util.RandomAccess;

/// An array of a GGUF file as an unmodifiable list, kept as the file's bytes and decoded on access:
/// a vocabulary of 128k strings opens in the time that finding their starts takes.
public final class GgufArray extends AbstractList<Object> implements RandomAccess {
  private final GgufType type;
  private final ByteBuffer bytes;
  private final int[] starts;
  private final int size;

  private GgufArray(GgufType type, byte[] bytes, int[] starts, int size) {
    this.type = type;
    this.bytes = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    this.starts = starts;
    this.size = size;
  }

  /// An array of numbers or booleans.
  static GgufArray ofNumbers(GgufType type, byte[] bytes) {
    return new GgufArray(type, bytes, null, bytes.length / type.bytes());
  }

  /// An array of strings, whose 8-byte lengths stand at `starts`.
  static GgufArray ofStrings(byte[] bytes, int[] starts) {
    return new GgufArray(GgufType.STRING, bytes, starts, starts.length);
  }

  /// The elements' type in the file.
  public GgufType type() {
    return type;
  }

  @Override
  public int size() {
    return size;
  }

  @Override
  public Object get(int index) {
    Objects.checkIndex(index, size);
    if (type == GgufType.STRING) {
      int start = starts[index];
      int length = (int) bytes.getLong(start);
      return new String(bytes.array(), start + 8, length, StandardCharsets.UTF_8);
    }
    return value(type, bytes, index * type.bytes());
  }

  /// The number or boolean at `at`.
  static Object value(GgufType type, ByteBuffer bytes, int at) {
    return switch (type) {
      case UINT8 -> (long) (bytes.get(at) & 0xFF);
      case INT8 -> (long) bytes.get(at);
      case UINT16 -> (long) (bytes.getShort(at) & 0xFFFF);
      case INT16 -> (long) bytes.getShort(at);
      case UINT32 -> bytes.getInt(at) & 0xFFFFFFFFL;
      case INT32 -> (long) bytes.getInt(at);
      case FLOAT32 -> bytes.getFloat(at);
      case BOOL -> bytes.get(at) != 0;
      case UINT64 -> unsigned(bytes.getLong(at));
      case INT64 -> bytes.getLong(at);
      case FLOAT64 -> bytes.getDouble(at);
      case STRING, ARRAY -> throw new IllegalArgumentException(type.name());
    };
  }

  /// A Long where it fits, so that what nearly all files hold has one type.
  private static Number unsigned(long bits) {
    return bits >= 0 ? (Number) bits : new BigInteger(Long.toUnsignedString(bits));
  }
}
