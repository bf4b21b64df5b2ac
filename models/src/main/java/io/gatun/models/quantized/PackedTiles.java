package io.gatun.models.quantized;

import io.gatun.tensor.Dequantization;
import io.gatun.tensor.Tensor;

/// Tiles that Gatun made of a quantized layer, with what is beside them: offsets of the groups, and
/// an order of the columns.
///
/// @param suffix of either; a layer with both is found by its offsets
record PackedTiles(String suffix) implements QuantizedFormat {
  @Override
  public Tensor matrix(StoredLayer layer) {
    Tensor w = layer.part("weight");
    long groups = 0;
    var how = Dequantization.NONE;
    if (layer.has("weight" + QuantizedCheckpoint.OFFSETS)) {
      groups = layer.part("weight" + QuantizedCheckpoint.OFFSETS).dim(0);
      how = how.withOffsets(layer.part("weight" + QuantizedCheckpoint.OFFSETS, groups, w.dim(0)));
      int _ = layer.groupSize("weight" + QuantizedCheckpoint.OFFSETS, w.dim(1), groups);
    }
    if (layer.has("weight" + QuantizedCheckpoint.ORDER)) {
      layer.requirePermutation("weight" + QuantizedCheckpoint.ORDER, Math.toIntExact(w.dim(1)));
      how = how.withOrder(layer.part("weight" + QuantizedCheckpoint.ORDER));
    }
    return w.dequantized(how);
  }
}
