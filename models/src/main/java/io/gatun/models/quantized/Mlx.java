package io.gatun.models.quantized;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.util.Set;

/// MLX: `q * scales[n, g] + biases[n, g]`, words along K, (N, bits K / 32). The layers' bits, which
/// may differ, follow from the group size and the shapes; embeddings are layers too.
record Mlx() implements QuantizedFormat {
  private static final Set<Integer> BITS = Set.of(2, 3, 4, 5, 6, 8);

  @Override
  public String suffix() {
    return "scales";
  }

  @Override
  public boolean matches(StoredLayer layer) {
    return layer.has("weight") && layer.part("weight").dtype() == DType.Plain.U32;
  }

  @Override
  public boolean isMade(DType type) {
    return true;
  }

  @Override
  public Tensor matrix(StoredLayer layer) {
    Tensor q = layer.words("weight");
    Tensor stored = layer.part("scales");
    int rows = Math.toIntExact(q.dim(0));
    int groups = rows == 0 ? 0 : Math.toIntExact(stored.size() / rows);
    int group = layer.config().groupSize(layer.name());
    int columns = groups * group;
    int bits = Math.toIntExact(32 * q.dim(1) / Math.max(1, columns));
    if (!BITS.contains(bits) || 32 * q.dim(1) != (long) bits * columns) {
      throw layer.wrong(
          "weight",
          "is %s, which is %.1f bits in groups of %d; Gatun reads MLX's 2, 3, 4, 5, 6 and 8"
              .formatted(q.shape(), 32.0 * q.dim(1) / columns, group));
    }
    int center = Words.center(bits);
    var scales = Words.values(layer.part("scales", rows, groups));
    var biases = Words.values(layer.part("biases", rows, groups));
    return new IntegerGroups(
            bits,
            rows,
            columns,
            group,
            Words.alongRows(q, bits, columns),
            scales,
            (n, g) -> center * scales.at(n, g) + biases.at(n, g),
            null)
        .tensor(layer, "weight");
  }
}
