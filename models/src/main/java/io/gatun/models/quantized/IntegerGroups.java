package io.gatun.models.quantized;

import io.gatun.tensor.DType;
import io.gatun.tensor.Dequantization;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Packing;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/// A matrix of integers with a scale, and perhaps an offset, for each group of a row:
///
///     value(n, k) = integer(n, k) * scale(n, g) + offset(n, g),  g = k / groupSize or groupOf(k)
///
/// It becomes tiles, with the offsets beside them. What tiles cannot hold, scales that are no F16
/// and groups that are no multiple of 32, stays integers with scales beside them. Values are the
/// same either way: those of a format `(q - z) * s` are `(q - c) * s + (c - z) * s`, where an F32
/// holds the offset, and the sum, exactly.
///
/// @param bits up to 8
/// @param integers of up to 4 bits -8..7, of more -128..127
/// @param offset null for none
/// @param groupOf the group of each column, null if they lie in order; columns are then sorted
record IntegerGroups(
    int bits,
    int rows,
    int columns,
    int groupSize,
    Integers integers,
    Values scale,
    Values offset,
    int[] groupOf) {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /// Gives rows `row` .. `row + count`-1 of a matrix, row-major.
  @FunctionalInterface
  interface Integers {
    void read(int row, int count, byte[] out);
  }

  /// Gives the number of a row's group.
  @FunctionalInterface
  interface Values {
    float at(int row, int group);
  }

  /// The matrix.
  ///
  /// @param part the tensor that says which groups columns belong to, for messages
  Tensor tensor(StoredLayer layer, String part) {
    int size = tileGroup();
    var tiled = size == 0 ? null : new DType.Tiled(bits > 4 ? 8 : 4, size);
    if (layer.isOutline() && tiled != null) {
      return layer.zeros(tiled, rows, columns);
    }
    int[] order = order(layer, part);
    Integers sorted =
        order == null ? integers : (row, count, out) -> sorted(order, row, count, out);
    var how = Dequantization.NONE.withOffsets(offsets(layer));
    if (order != null) {
      var columnOf = Tensor.allocate(layer.memory(), DType.Plain.I32, columns);
      for (int k = 0; k < columns; k++) {
        columnOf.segment().setAtIndex(ValueLayout.JAVA_INT, k, order[k]);
      }
      how = how.withOrder(columnOf);
    }
    if (tiled != null && scalesAreF16()) {
      return tiles(layer, sorted, tiled).dequantized(how);
    }
    var scales = Tensor.allocate(layer.memory(), DType.Plain.F32, rows, groups());
    for (int i = 0; i < rows * groups(); i++) {
      float s = scale.at(i / groups(), i % groups());
      scales.segment().setAtIndex(FLOAT, i, s);
    }
    how = how.scaled(scales, groupSize);
    return bits > 4
        ? bytes(layer, sorted).dequantized(how)
        : codes(layer, sorted).dequantized(how.withLevels(levels(layer)));
  }

  private int groups() {
    return columns / groupSize;
  }

  /// The greatest groups of tiles of which the matrix's are whole ones; 0 if there are none.
  private int tileGroup() {
    return IntStream.of(128, 64, 32).filter(size -> groupSize % size == 0).findFirst().orElse(0);
  }

  private boolean scalesAreF16() {
    return IntStream.range(0, rows * groups())
        .allMatch(
            i -> {
              float s = scale.at(i / groups(), i % groups());
              return Float.float16ToFloat(Float.floatToFloat16(s)) == s;
            });
  }

  private Tensor tiles(StoredLayer layer, Integers sorted, DType.Tiled type) {
    int share = groupSize / type.groupSize();
    var packed =
        new Packing.Integers() {
          @Override
          public void read(int row, int count, byte[] out) {
            sorted.read(row, count, out);
          }

          @Override
          public float scale(int row, int group) {
            return scale.at(row, group / share);
          }
        };
    return Packing.tiles(layer.workers(), packed, type, rows, columns, layer.memory());
  }

  private Tensor bytes(StoredLayer layer, Integers sorted) {
    var t = Tensor.allocate(layer.memory(), DType.Plain.I8, rows, columns);
    var row = new byte[columns];
    for (int n = 0; n < rows; n++) {
      sorted.read(n, 1, row);
      t.segment()
          .asSlice((long) n * columns)
          .copyFrom(java.lang.foreign.MemorySegment.ofArray(row));
    }
    return t;
  }

  private Tensor codes(StoredLayer layer, Integers sorted) {
    var t = Tensor.allocate(layer.memory(), DType.Block.CODE4, rows, columns);
    var row = new byte[columns];
    for (int n = 0; n < rows; n++) {
      sorted.read(n, 1, row);
      for (int k = 0; k < columns; k += 2) {
        int both = row[k] + 8 << 4 | row[k + 1] + 8;
        t.segment().set(ValueLayout.JAVA_BYTE, ((long) n * columns + k) / 2, (byte) both);
      }
    }
    return t;
  }

  private static Tensor levels(StoredLayer layer) {
    var levels = new float[16];
    for (int i = 0; i < 16; i++) {
      levels[i] = i - 8;
    }
    return Tensor.ofFloats(layer.memory(), levels, 16);
  }

  /// (G, N); null if all are zero.
  private Tensor offsets(StoredLayer layer) {
    boolean any =
        offset != null
            && IntStream.range(0, rows * groups())
                .anyMatch(i -> offset.at(i / groups(), i % groups()) != 0);
    if (!any) {
      return null;
    }
    var t = Tensor.allocate(layer.memory(), DType.Plain.F32, groups(), rows);
    for (int g = 0; g < groups(); g++) {
      for (int n = 0; n < rows; n++) {
        t.segment().setAtIndex(FLOAT, (long) g * rows + n, offset.at(n, g));
      }
    }
    return t;
  }

  /// The columns sorted by their groups; null if they are.
  private int[] order(StoredLayer layer, String part) {
    if (groupOf == null || IntStream.range(0, columns).allMatch(k -> groupOf[k] == k / groupSize)) {
      return null;
    }
    int[] order =
        IntStream.range(0, columns)
            .boxed()
            .sorted(Comparator.comparingInt(k -> groupOf[k]))
            .mapToInt(k -> k)
            .toArray();
    for (int k = 0; k < columns; k++) {
      if (groupOf[order[k]] != k / groupSize) {
        throw layer.wrong(
            part, "does not put %d columns into each of %d groups".formatted(groupSize, groups()));
      }
    }
    return order;
  }

  private void sorted(int[] order, int row, int count, byte[] out) {
    integers.read(row, count, out);
    for (int i = 0; i < count; i++) {
      byte[] unsorted = Arrays.copyOfRange(out, i * columns, (i + 1) * columns);
      for (int k = 0; k < columns; k++) {
        out[i * columns + k] = unsorted[order[k]];
      }
    }
  }
}
