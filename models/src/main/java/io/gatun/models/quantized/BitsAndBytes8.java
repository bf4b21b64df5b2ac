package io.gatun.models.quantized;

import io.gatun.tensor.DType;
import io.gatun.tensor.Dequantization;
import io.gatun.tensor.Tensor;
import java.lang.foreign.ValueLayout;

/// Eight bits of bitsandbytes, where the file has them: `weight * SCB[n] / 127`.
record BitsAndBytes8() implements QuantizedFormat {
  @Override
  public String suffix() {
    return "SCB";
  }

  @Override
  public Tensor matrix(StoredLayer layer) {
    Tensor w = layer.part("weight");
    if (w.dtype() != DType.Plain.I8 || w.shape().rank() != 2) {
      throw layer.wrong("weight", "is %s %s; need I8".formatted(w.shape(), w.dtype().name()));
    }
    if (layer.has("weight_format") && Words.byteAt(layer.part("weight_format"), 0) != 0) {
      throw layer.wrong("weight_format", "is not 0: rows and columns are in another order");
    }
    float[] most = layer.part("SCB", w.dim(0)).toFloats();
    var scales = Tensor.allocate(layer.memory(), DType.Plain.F32, most.length, 1);
    for (int n = 0; n < most.length; n++) {
      scales.segment().setAtIndex(ValueLayout.JAVA_FLOAT, n, most[n] / 127);
    }
    return w.dequantized(Dequantization.NONE.scaled(scales, Math.toIntExact(w.dim(1))));
  }
}
