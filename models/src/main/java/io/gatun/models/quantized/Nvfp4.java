package io.gatun.models.quantized;

import io.gatun.tensor.DType;
import io.gatun.tensor.Dequantization;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;

/// NVFP4, where the file has it: F4, two to a byte, an F8_E4M3 scale for each 16 and one F32 for
/// all, which modelopt stores as it is (`weight_scale_2`) and compressed-tensors as its reciprocal
/// (`weight_global_scale`).
///
/// @param suffix what the scale of all is called
/// @param values what the numbers are called
record Nvfp4(String suffix, String values, boolean reciprocal) implements QuantizedFormat {
  private static final int GROUP = 16;

  static final Nvfp4 MODELOPT = new Nvfp4("weight_scale_2", "weight", false);
  static final Nvfp4 COMPRESSED = new Nvfp4("weight_global_scale", "weight_packed", true);

  @Override
  public Tensor matrix(StoredLayer layer) {
    Tensor w = layer.part(values);
    if (w.dtype() != DType.Plain.U8 || w.shape().rank() != 2 || w.dim(1) % (GROUP / 2) != 0) {
      throw layer.wrong(
          values, "is %s %s; need a matrix of bytes".formatted(w.shape(), w.dtype().name()));
    }
    long rows = w.dim(0);
    long columns = 2 * w.dim(1);
    Tensor scales = layer.part("weight_scale", rows, columns / GROUP);
    Tensor all = layer.part(suffix);
    if (all.size() != 1) {
      throw layer.wrong(suffix, "is %s; need one number".formatted(all.shape()));
    }
    layer.optional("input_scale");
    layer.optional("input_global_scale");
    float stored = all.toFloats()[0];
    var how = Dequantization.NONE.scaled(scales, GROUP).times(reciprocal ? 1 / stored : stored);
    return Tensor.of(w.segment(), DType.Plain.F4, Shape.of(rows, columns)).dequantized(how);
  }
}
