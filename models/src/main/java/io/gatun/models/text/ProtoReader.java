package io.gatun.models.text;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/// The fields of a protocol buffers message (the wire format of
/// protobuf.dev/programming-guides/encoding), every length checked against the bytes that are
/// there.
record ProtoReader(ByteBuffer bytes) {
  static final class DamagedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    DamagedException(String message) {
      super(message);
    }
  }

  /// One field: a number (`varint`, or the bits of a fixed one) or bytes, as its wire type says.
  record Field(int number, int wireType, long value, ByteBuffer content) {
    long varint() {
      return need(0).value;
    }

    int int32() {
      if (value != (int) value) {
        throw new DamagedException("field %d is %d, not of 32 bits".formatted(number, value));
      }
      return (int) need(0).value;
    }

    float float32() {
      return Float.intBitsToFloat((int) need(5).value);
    }

    ProtoReader message() {
      return new ProtoReader(need(2).content.duplicate());
    }

    byte[] bytes() {
      var copy = new byte[need(2).content.remaining()];
      content.duplicate().get(copy);
      return copy;
    }

    String text() {
      return new String(bytes(), StandardCharsets.UTF_8);
    }

    private Field need(int type) {
      if (wireType != type) {
        throw new DamagedException(
            "field %d has wire type %d; need %d".formatted(number, wireType, type));
      }
      return this;
    }
  }

  /// Hands each field to `fields`, in order.
  ///
  /// @throws DamagedException if the bytes are no message
  void forEach(Consumer<Field> fields) {
    ByteBuffer in = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    while (in.hasRemaining()) {
      long key = varint(in);
      int number = (int) (key >>> 3);
      int type = (int) key & 7;
      fields.accept(
          switch (type) {
            case 0 -> new Field(number, type, varint(in), null);
            case 1 -> new Field(number, type, take(in, 8).getLong(), null);
            case 2 -> new Field(number, type, 0, take(in, varint(in)));
            case 5 -> new Field(number, type, take(in, 4).getInt(), null);
            default ->
                throw new DamagedException(
                    "field %d at byte %d has wire type %d".formatted(number, in.position(), type));
          });
    }
  }

  private static ByteBuffer take(ByteBuffer in, long length) {
    if (length < 0 || length > in.remaining()) {
      throw new DamagedException(
          "%d bytes at byte %d; %d are left".formatted(length, in.position(), in.remaining()));
    }
    ByteBuffer taken = in.slice(in.position(), (int) length).order(ByteOrder.LITTLE_ENDIAN);
    in.position(in.position() + (int) length);
    return taken;
  }

  private static long varint(ByteBuffer in) {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      byte b = take(in, 1).get();
      value |= (b & 0x7FL) << shift;
      if (b >= 0) {
        return value;
      }
    }
    throw new DamagedException("the number at byte %d has no end".formatted(in.position()));
  }
}
