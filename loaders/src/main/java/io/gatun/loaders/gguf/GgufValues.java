package io.gatun.loaders.gguf;

import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/// Values in GGUF's binary form, one after another.
public final class GgufValues {
  private static final long UINT32_MAX = 0xFFFF_FFFFL;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  /// What has been written.
  public byte[] toByteArray() {
    return out.toByteArray();
  }

  /// The type that a Java value is written as.
  ///
  /// @throws IllegalArgumentException if there is none
  public static GgufType type(Object value) {
    return switch (value) {
      case String _ -> GgufType.STRING;
      case Boolean _ -> GgufType.BOOL;
      case Float _ -> GgufType.FLOAT32;
      case Double _ -> GgufType.FLOAT64;
      case BigInteger i when i.signum() >= 0 && i.bitLength() <= 64 -> GgufType.UINT64;
      case Byte _, Short _, Integer _, Long _ -> integerType(((Number) value).longValue());
      case List<?> list -> {
        elementType(list);
        yield GgufType.ARRAY;
      }
      default ->
          throw new IllegalArgumentException(
              "GGUF has no type for " + value.getClass().getName() + " " + value);
    };
  }

  private static GgufType integerType(long i) {
    if (i >= 0 && i <= UINT32_MAX) {
      return GgufType.UINT32;
    }
    return i == (int) i ? GgufType.INT32 : GgufType.INT64;
  }

  private static GgufType elementType(List<?> list) {
    if (list instanceof GgufArray array) {
      return array.type();
    }
    if (list.stream().allMatch(v -> v instanceof Integer || v instanceof Long)) {
      boolean narrow =
          list.stream().allMatch(v -> ((Number) v).longValue() == ((Number) v).intValue());
      return narrow ? GgufType.INT32 : GgufType.INT64;
    }
    Set<GgufType> types = list.stream().map(GgufValues::type).collect(Collectors.toSet());
    if (types.size() != 1) {
      throw new IllegalArgumentException("a GGUF array has one type; this list has " + types);
    }
    return types.iterator().next();
  }

  /// The type's number, then the value.
  public void typed(Object value) {
    GgufType type = type(value);
    i32(type.number());
    value(type, value);
  }

  private void value(GgufType type, Object value) {
    switch (type) {
      case STRING -> string((String) value);
      case BOOL -> bytes((Boolean) value ? 1 : 0, 1);
      case FLOAT32 -> i32(Float.floatToRawIntBits((Float) value));
      case FLOAT64 -> i64(Double.doubleToRawLongBits((Double) value));
      case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 ->
          bytes(((Number) value).longValue(), type.bytes());
      case ARRAY -> {
        var list = (List<?>) value;
        GgufType element = elementType(list);
        i32(element.number());
        i64(list.size());
        list.forEach(v -> value(element, v));
      }
    }
  }

  public void string(String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    i64(utf8.length);
    out.writeBytes(utf8);
  }

  public void i32(int i) {
    bytes(i, 4);
  }

  public void i64(long i) {
    bytes(i, 8);
  }

  private void bytes(long bits, int count) {
    for (int i = 0; i < count; i++) {
      out.write((int) (bits >>> (8 * i)));
    }
  }
}
