package io.gatun.models.quantized;

import io.gatun.tensor.DType;
import io.gatun.tensor.Dequantization;
import io.gatun.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import java.util.List;

/// Weights of eight bits, FP8 or integers, where the file has them, times scales: one for all, one
/// for each row, or one for each block of rows and columns. It is the form of compressed-tensors,
/// FBGEMM, modelopt, DeepSeek and Qwen (`weight_scale_inv`, which is multiplied too), Mistral
/// (`qscale_weight`) and ComfyUI (`scale_weight`).
///
/// @param suffix what the scale is called
record ScaledBytes(String suffix) implements QuantizedFormat {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /// Scales of activations, which stay as they are here.
  private static final List<String> UNUSED =
      List.of(
          "input_scale",
          "activation_scale",
          "input_scale_ub",
          "scale_input",
          "qscale_act",
          "output_scale",
          "weight_shape");

  @Override
  public boolean matches(StoredLayer layer) {
    return layer.has("weight")
        && layer.part("weight").dtype() instanceof DType.Plain p
        && (p == DType.Plain.F8_E4M3 || p == DType.Plain.F8_E5M2 || p == DType.Plain.I8);
  }

  @Override
  public Tensor matrix(StoredLayer layer) {
    Tensor w = layer.part("weight");
    if (w.shape().rank() != 2) {
      throw layer.wrong("weight", "is %s; need a matrix".formatted(w.shape()));
    }
    UNUSED.forEach(layer::optional);
    Tensor stored = layer.part(suffix);
    int rows = Math.toIntExact(w.dim(0));
    int columns = Math.toIntExact(w.dim(1));
    boolean each =
        stored.size() == rows && stored.dim(-1) == (stored.shape().rank() > 1 ? 1 : rows);
    boolean blocks = !each && stored.shape().rank() == 2 && stored.size() > 1;
    if (!blocks && !each && stored.size() != 1) {
      throw layer.wrong(
          suffix,
          "is %s; need one scale, one for each of %d rows, or a matrix for blocks"
              .formatted(stored.shape(), rows));
    }
    int high = blocks ? layer.config().blockRows() : each ? 1 : rows;
    int wide = blocks ? layer.config().blockColumns() : columns;
    int groups = Math.ceilDiv(columns, wide);
    if (stored.size() != (long) Math.ceilDiv(rows, high) * groups) {
      throw layer.wrong(
          suffix,
          "is %s; need a scale for each block of %d by %d of %s"
              .formatted(stored.shape(), high, wide, w.shape()));
    }
    float[] all = stored.toFloats();
    var scales = Tensor.allocate(layer.memory(), DType.Plain.F32, rows, groups);
    for (int n = 0; n < rows; n++) {
      for (int g = 0; g < groups; g++) {
        float s = all[n / high * groups + g];
        scales.segment().setAtIndex(FLOAT, (long) n * groups + g, s);
      }
    }
    var how = Dequantization.NONE.scaled(scales, wide);
    return w.dequantized(how.withOffsets(offsets(layer, scales)));
  }

  /// What zero points add, which integers may have; null for none.
  private static Tensor offsets(StoredLayer layer, Tensor scales) {
    if (!layer.has("weight_zero_point")) {
      return null;
    }
    long rows = scales.dim(0);
    float[] zeros = layer.part("weight_zero_point", rows, scales.dim(1)).toFloats();
    var offsets = Tensor.allocate(layer.memory(), DType.Plain.F32, scales.dim(1), rows);
    for (int g = 0; g < scales.dim(1); g++) {
      for (int n = 0; n < rows; n++) {
        float offset = -zeros[(int) (n * scales.dim(1) + g)] * scales.getFloat(n, g);
        offsets.segment().setAtIndex(FLOAT, g * rows + n, offset);
      }
    }
    return offsets;
  }
}
