package io.gatun.models.quantized;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.tensor.DType;
import io.gatun.tensor.Dequantization;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.ValueLayout;

/// Four bits of bitsandbytes, where the file has them: places in a table, two to a byte, the first
/// in the high half, times the greatest magnitude of a block. With double quantization these are
/// quantized too, and made when the checkpoint is opened.
///
/// @param type nf4 or fp4
record BitsAndBytes4(String type) implements QuantizedFormat {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  @Override
  public String suffix() {
    return "weight.quant_state.bitsandbytes__" + type;
  }

  @Override
  public Tensor matrix(StoredLayer layer) {
    JsonNode state = state(layer);
    JsonNode shape = state.path("shape");
    long rows = shape.path(0).asLong();
    long columns = shape.path(1).asLong();
    int block = state.path("blocksize").asInt();
    Tensor w = layer.part("weight");
    if (shape.size() != 2 || rows < 1 || columns < 1 || w.byteSize() != rows * columns / 2) {
      throw layer.wrong(suffix(), "has a shape of %s for %d bytes".formatted(shape, w.byteSize()));
    }
    if (block < 2 || columns % block != 0) {
      throw layer.wrong(
          suffix(),
          "has a blocksize of %d; rows of %d are no whole blocks".formatted(block, columns));
    }
    Tensor absmax = layer.part("weight.absmax", rows * columns / block);
    if (state.has("nested_blocksize") || layer.has("weight.nested_absmax")) {
      absmax = nested(layer, state, absmax);
    }
    var scales = absmax.reshape(rows, columns / block);
    var how =
        Dequantization.NONE.scaled(scales, block).withLevels(layer.part("weight.quant_map", 16));
    return Tensor.of(w.segment(), DType.Block.CODE4, Shape.of(rows, columns)).dequantized(how);
  }

  private JsonNode state(StoredLayer layer) {
    byte[] bytes = layer.part(suffix()).segment().toArray(ValueLayout.JAVA_BYTE);
    try {
      return new ObjectMapper().readTree(bytes);
    } catch (IOException e) {
      throw layer.wrong(suffix(), "is not the JSON it should be: " + e.getMessage());
    }
  }

  private Tensor nested(StoredLayer layer, JsonNode state, Tensor bytes) {
    int block = state.path("nested_blocksize").asInt();
    if (block < 1 || bytes.dtype() != DType.Plain.U8) {
      throw layer.wrong(suffix(), "has a nested_blocksize of " + block);
    }
    float offset = state.path("nested_offset").floatValue();
    float[] map = layer.part("weight.nested_quant_map", 256).toFloats();
    long count = bytes.size();
    float[] scales =
        layer.part("weight.nested_absmax", Math.ceilDiv(count, (long) block)).toFloats();
    var out = Tensor.allocate(layer.memory(), DType.Plain.F32, count);
    for (int i = 0; i < count; i++) {
      float value = map[Words.byteAt(bytes, i)] * scales[i / block] + offset;
      out.segment().setAtIndex(FLOAT, i, value);
    }
    return out;
  }
}
