package io.gatun.loaders.file;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.util.List;

/// What makes a tensor of bytes a [DType.Tiled] matrix, which no format has a type for: the
/// metadata entry `gatun.tiled.NAME` = `INT4_G32 4096 11008`, type, rows, columns.
public record TiledEntry(DType.Tiled dtype, Shape shape) {
  /// What the entry's key has before the tensor's name.
  public static final String KEY = "gatun.tiled.";

  /// Reads an entry's value.
  ///
  /// @throws IllegalArgumentException if it is none
  public static TiledEntry parse(Object value) {
    var words = value instanceof String text ? List.of(text.split(" ", -1)) : List.<String>of();
    if (words.size() != 3) {
      throw new IllegalArgumentException(
          "its %s entry is \"%s\"; need TYPE ROWS COLUMNS".formatted(KEY, value));
    }
    return new TiledEntry(
        DType.Tiled.parse(words.get(0)),
        Shape.of(Long.parseLong(words.get(1)), Long.parseLong(words.get(2))));
  }

  /// The entry's value.
  @Override
  public String toString() {
    return "%s %d %d".formatted(dtype.name(), shape.dim(0), shape.dim(1));
  }
}
