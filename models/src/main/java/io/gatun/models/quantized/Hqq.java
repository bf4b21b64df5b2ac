package io.gatun.models.quantized;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.ValueLayout;

/// HQQ: `(q - zero) * scale` on the matrix seen as groups, which are rows (axis 1) or columns (axis
/// 0). The first half of the rows is in the bytes' high halves, the second in the low ones.
///
/// A group of axis 0 has one number of every so many rows: it has no scale along a row, and is made
/// F32.
record Hqq() implements QuantizedFormat {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  @Override
  public String suffix() {
    return "W_q";
  }

  @Override
  public boolean isMade(DType type) {
    return true;
  }

  @Override
  public Tensor matrix(StoredLayer layer) {
    Tensor q = layer.part("W_q");
    long[] shape = layer.dims("shape");
    int bits = (int) layer.part("nbits").toFloats()[0];
    int axis = (int) layer.part("axis").toFloats()[0];
    int group = (int) layer.part("group_size").toFloats()[0];
    for (String flag : new String[] {"quant_scale", "quant_zero"}) {
      if (layer.has(flag) && layer.part(flag).toFloats()[0] != 0) {
        throw layer.wrong(flag, "is set: Gatun reads no quantized scales of HQQ");
      }
    }
    layer.useAll();
    if ((bits != 4 && bits != 8) || q.dtype() != DType.Plain.U8) {
      throw layer.wrong("nbits", "is %d; Gatun reads HQQ of 4 and 8 bits".formatted(bits));
    }
    int rows = Math.toIntExact(shape[0]);
    int columns = Math.toIntExact(shape[1]);
    long size = (long) rows * columns;
    if (shape.length != 2 || group < 1 || size % group != 0 || q.byteSize() != size * bits / 8) {
      throw layer.wrong(
          "shape", "does not fit W_q, %s, in groups of %d".formatted(q.shape(), group));
    }
    int groups = Math.toIntExact(size / group);
    float[] scales = layer.part("scale").toFloats();
    float[] zeros = layer.part("zero").toFloats();
    if (scales.length != groups || zeros.length != groups) {
      throw layer.wrong("scale", "has %d scales for %d groups".formatted(scales.length, groups));
    }
    if (axis == 0) {
      return columnGroups(layer, q, bits, rows, columns, scales, zeros);
    }
    if (columns % group != 0) {
      throw layer.wrong("group_size", "is %d; rows have %d columns".formatted(group, columns));
    }
    int perRow = columns / group;
    int center = Words.center(bits);
    return new IntegerGroups(
            bits,
            rows,
            columns,
            group,
            (row, count, out) -> {
              for (int i = 0; i < count * columns; i++) {
                out[i] = (byte) (number(q, bits, size, (long) row * columns + i) - center);
              }
            },
            (n, g) -> scales[n * perRow + g],
            (n, g) -> (center - zeros[n * perRow + g]) * scales[n * perRow + g],
            null)
        .tensor(layer, "W_q");
  }

  /// Number `at` of the matrix in row-major order.
  private static int number(Tensor q, int bits, long size, long at) {
    if (bits == 8) {
      return Words.byteAt(q, at);
    }
    return at < size / 2 ? Words.byteAt(q, at) >> 4 : Words.byteAt(q, at - size / 2) & 15;
  }

  private static Tensor columnGroups(
      StoredLayer layer, Tensor q, int bits, int rows, int columns, float[] scales, float[] zeros) {
    var out = Tensor.allocate(layer.memory(), DType.Plain.F32, rows, columns);
    long size = (long) rows * columns;
    for (long i = 0; i < size; i++) {
      int g = (int) (i % scales.length);
      out.segment().setAtIndex(FLOAT, i, (number(q, bits, size, i) - zeros[g]) * scales[g]);
    }
    return out;
  }
}
