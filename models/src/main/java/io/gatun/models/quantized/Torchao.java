package io.gatun.models.quantized;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.tensor.DType;
import io.gatun.tensor.Dequantization;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Ops;

/// torchao's tensors in safetensors, whose class stands in the file's header: Int4Tensor, `q *
/// scale[g, n] + zero_point[g, n]` with signed nibbles, the low one first; Int8Tensor and
/// Float8Tensor, bytes with a scale for each row.
record Torchao() implements QuantizedFormat {
  @Override
  public String suffix() {
    return "_weight_qdata";
  }

  @Override
  public boolean isMade(DType type) {
    return type != DType.Plain.F8_E4M3;
  }

  @Override
  public Tensor matrix(StoredLayer layer) {
    String type = type(layer);
    Tensor q = layer.part("_weight_qdata");
    Tensor scale = layer.part("_weight_scale");
    if (q.shape().rank() != 2 || scale.shape().rank() != 2) {
      throw layer.wrong("_weight_qdata", "is %s; need a matrix".formatted(q.shape()));
    }
    return switch (type) {
      case "Int4Tensor" -> int4(layer, q, scale);
      case "Int8Tensor", "Float8Tensor" -> bytes(layer, q, scale);
      default ->
          throw layer.wrong(
              "_weight_qdata",
              "is a %s of torchao; Gatun reads Int4Tensor, Int8Tensor and Float8Tensor"
                  .formatted(type));
    };
  }

  private static String type(StoredLayer layer) {
    try {
      var header =
          layer.metadata() instanceof String json ? new ObjectMapper().readTree(json) : null;
      if (header != null && header.path("_type").isTextual()) {
        return header.path("_type").textValue();
      }
    } catch (JsonProcessingException e) {
      throw layer.wrong("_weight_qdata", "has a header that is no JSON: " + e.getOriginalMessage());
    }
    throw layer.wrong("_weight_qdata", "has no class in the file's header");
  }

  private static Tensor int4(StoredLayer layer, Tensor q, Tensor scale) {
    int rows = Math.toIntExact(q.dim(0));
    int columns = Math.toIntExact(2 * q.dim(1));
    int groups = Math.toIntExact(scale.dim(0));
    var scales = Words.turned(layer.part("_weight_scale", groups, rows));
    var zeros = Words.turned(layer.part("_weight_zero_point", groups, rows));
    return new IntegerGroups(
            4,
            rows,
            columns,
            layer.groupSize("_weight_scale", columns, groups),
            (row, count, out) -> {
              for (int i = 0; i < count * columns; i += 2) {
                int both = Words.byteAt(q, ((long) row * columns + i) / 2);
                out[i] = (byte) (both << 28 >> 28);
                out[i + 1] = (byte) (both << 24 >> 28);
              }
            },
            scales,
            zeros,
            null)
        .tensor(layer, "_weight_qdata");
  }

  private static Tensor bytes(StoredLayer layer, Tensor q, Tensor scale) {
    boolean known = q.dtype() == DType.Plain.I8 || q.dtype() == DType.Plain.F8_E4M3;
    if (!known || scale.dim(0) != q.dim(0) || q.dim(1) % scale.dim(1) != 0) {
      throw layer.wrong(
          "_weight_scale",
          "is %s for %s %s; need scales for each row"
              .formatted(scale.shape(), q.shape(), q.dtype().name()));
    }
    int group = Math.toIntExact(q.dim(1) / scale.dim(1));
    var scales = Ops.toF32(scale, layer.memory());
    return q.dequantized(Dequantization.NONE.scaled(scales, group));
  }
}
