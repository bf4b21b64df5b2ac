package io.gatun.models.quantized;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;

/// AWQ's GEMM layout: `(q - z) * scales[g, n]`, words along N: `qweight` (K, N / 8) and `qzeros`
/// (G, N / 8), in which the columns of a word take turns.
record Awq() implements QuantizedFormat {
  /// Which of a word's nibbles, from the lowest, holds column n % 8.
  private static final int[] NIBBLE = {0, 4, 1, 5, 2, 6, 3, 7};

  private static final int CENTER = 8;

  @Override
  public String suffix() {
    return "qweight";
  }

  @Override
  public boolean matches(StoredLayer layer) {
    return !layer.config().isGptq();
  }

  @Override
  public boolean isMade(DType type) {
    return true;
  }

  @Override
  public Tensor matrix(StoredLayer layer) {
    Tensor q = layer.words("qweight");
    int columns = Math.toIntExact(q.dim(0));
    int rows = Math.toIntExact(8 * q.dim(1));
    Tensor stored = layer.words("qzeros");
    int groups = Math.toIntExact(stored.dim(0));
    Tensor zeros = layer.part("qzeros", groups, rows / 8);
    var scales = Words.turned(layer.part("scales", groups, rows));
    IntegerGroups.Integers integers =
        (row, count, out) -> {
          for (int k = 0; k < columns; k++) {
            for (int i = 0; i < count; i++) {
              out[i * columns + k] = (byte) (nibble(q, k, row + i, rows) - CENTER);
            }
          }
        };
    return new IntegerGroups(
            4,
            rows,
            columns,
            layer.groupSize("scales", columns, groups),
            integers,
            scales,
            (n, g) -> (CENTER - nibble(zeros, g, n, rows)) * scales.at(n, g),
            null)
        .tensor(layer, "qweight");
  }

  private static int nibble(Tensor words, int k, int n, int rows) {
    return Words.get(words, ((long) k * rows + n) / 8) >>> 4 * NIBBLE[n % 8] & 15;
  }
}
