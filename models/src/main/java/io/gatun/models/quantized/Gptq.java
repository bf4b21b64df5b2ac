package io.gatun.models.quantized;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;

/// GPTQ, as AutoGPTQ, GPTQModel and AutoRound write it: `(q - z) * scales[g, n]`, integers in words
/// along the rows of the turned matrix, `qweight` (K / p, N), and zero points along N, `qzeros` (G,
/// N / p), which in the first version of the format are less by one. With activation order `g_idx`
/// tells the columns' groups.
record Gptq() implements QuantizedFormat {
  @Override
  public String suffix() {
    return "qweight";
  }

  @Override
  public boolean matches(StoredLayer layer) {
    return layer.config().isGptq();
  }

  @Override
  public boolean isMade(DType type) {
    return true;
  }

  @Override
  public Tensor matrix(StoredLayer layer) {
    Tensor q = layer.words("qweight");
    Tensor zeros = layer.words("qzeros");
    int rows = Math.toIntExact(q.dim(1));
    int bits = Math.toIntExact(32 * zeros.dim(1) / rows);
    boolean known = bits == 2 || bits == 3 || bits == 4 || bits == 8;
    if (!known || 32 * zeros.dim(1) != (long) bits * rows || 32 * q.dim(0) % bits != 0) {
      throw layer.wrong(
          "qweight",
          "has %.1f bits; Gatun reads GPTQ of 2, 3, 4 and 8".formatted(32.0 * zeros.dim(1) / rows));
    }
    int mask = (1 << bits) - 1;
    int center = Words.center(bits);
    int columns = Math.toIntExact(32 * q.dim(0) / bits);
    int groups = Math.toIntExact(zeros.dim(0));
    var scales = Words.turned(layer.part("scales", groups, rows));
    int added = layer.config().zeroPointsAreLess() ? 1 : 0;
    IntegerGroups.Values zero =
        (n, g) -> Words.element(zeros, bits, (long) g * rows + n) + added & mask;
    IntegerGroups.Integers integers =
        bits == 3
            ? (row, count, out) -> threeBits(q, row, count, columns, out)
            : (row, count, out) -> {
              int perWord = 32 / bits;
              for (int r = 0; r < columns / perWord; r++) {
                for (int i = 0; i < count; i++) {
                  int word = Words.get(q, (long) r * rows + row + i);
                  for (int j = 0; j < perWord; j++, word >>>= bits) {
                    out[i * columns + r * perWord + j] = (byte) ((word & mask) - center);
                  }
                }
              }
            };
    return new IntegerGroups(
            bits,
            rows,
            columns,
            layer.groupSize("scales", columns, groups),
            integers,
            scales,
            (n, g) -> (center - zero.at(n, g)) * scales.at(n, g),
            layer.groupOf("g_idx", columns))
        .tensor(layer, "g_idx");
  }

  /// Three words of a column hold 32 numbers, of which two begin in one word and end in the next.
  private static void threeBits(Tensor q, int row, int count, int columns, byte[] out) {
    long rows = q.dim(1);
    for (int i = 0; i < count; i++) {
      for (int k = 0; k < columns; k++) {
        int shift = 3 * k & 31;
        long at = 3L * k / 32 * rows + row + i;
        int number = Words.get(q, at) >>> shift;
        if (shift > 29) {
          number |= Words.get(q, at + rows) << 32 - shift;
        }
        out[i * columns + k] = (byte) ((number & 7) - 4);
      }
    }
  }
}
