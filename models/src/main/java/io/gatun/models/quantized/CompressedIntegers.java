package io.gatun.models.quantized;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;

/// The pack-quantized form of compressed-tensors: `(q - z) * weight_scale[n, g]`, words along K,
/// `weight_packed` (N, K / p); zero points along N, `weight_zero_point` (N / p, G), or in the
/// middle.
record CompressedIntegers() implements QuantizedFormat {
  @Override
  public String suffix() {
    return "weight_packed";
  }

  @Override
  public boolean matches(StoredLayer layer) {
    return layer.part("weight_packed").dtype() == DType.Plain.I32;
  }

  @Override
  public boolean isMade(DType type) {
    return type == DType.Plain.I32;
  }

  @Override
  public Tensor matrix(StoredLayer layer) {
    Tensor q = layer.words("weight_packed");
    long[] shape = layer.dims("weight_shape");
    int rows = Math.toIntExact(q.dim(0));
    if (shape.length != 2 || shape[0] != rows || shape[1] < 1 || 32 * q.dim(1) % shape[1] != 0) {
      throw layer.wrong("weight_shape", "does not fit weight_packed, " + q.shape());
    }
    int columns = Math.toIntExact(shape[1]);
    int bits = Math.toIntExact(32 * q.dim(1) / columns);
    if (bits != 2 && bits != 4 && bits != 8) {
      throw layer.wrong("weight_packed", "has %d bits; Gatun reads 2, 4 and 8".formatted(bits));
    }
    Tensor stored = layer.part("weight_scale");
    int groups = Math.toIntExact(stored.size() / rows);
    var scales = Words.values(stored.reshape(rows, groups));
    int center = Words.center(bits);
    IntegerGroups.Values offset = null;
    if (layer.has("weight_zero_point")) {
      int perWord = 32 / bits;
      Tensor zeros = layer.part("weight_zero_point", Math.ceilDiv(rows, perWord), groups);
      offset =
          (n, g) -> {
            int word = Words.get(zeros, (long) (n / perWord) * groups + g);
            int zero = word >>> n % perWord * bits & (1 << bits) - 1;
            return (center - zero) * scales.at(n, g);
          };
    }
    return new IntegerGroups(
            bits,
            rows,
            columns,
            layer.groupSize("weight_scale", columns, groups),
            Words.alongRows(q, bits, columns),
            scales,
            offset,
            layer.groupOf("weight_g_idx", columns))
        .tensor(layer, "weight_g_idx");
  }
}
