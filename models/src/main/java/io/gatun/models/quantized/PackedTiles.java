package io.gatun.models.quantized;

import io.gatun.tensor.Dequantization;
import io.gatun.tensor.Tensor;

/// Tiles that Gatun made of a quantized layer, with what is beside them: offsets of the groups, and
/// an order of the columns.
///
/// @param suffix of either; a layer with both is found by its offsets
public record PackedTiles(String suffix) implements QuantizedFormat {
  /// Behind a matrix's name: its offsets (G, N) F32.
  public static final String OFFSETS = ".offsets";

  /// Behind a matrix's name: which columns its own are (K) I32.
  public static final String ORDER = ".order";

  @Override
  public Tensor matrix(StoredLayer layer) {
    Tensor w = layer.part("weight");
    long groups = 0;
    var how = Dequantization.NONE;
    if (layer.has("weight" + OFFSETS)) {
      groups = layer.part("weight" + OFFSETS).dim(0);
      how = how.withOffsets(layer.part("weight" + OFFSETS, groups, w.dim(0)));
      int _ = layer.groupSize("weight" + OFFSETS, w.dim(1), groups);
    }
    if (layer.has("weight" + ORDER)) {
      layer.requirePermutation("weight" + ORDER, Math.toIntExact(w.dim(1)));
      how = how.withOrder(layer.part("weight" + ORDER));
    }
    return w.dequantized(how);
  }
}
