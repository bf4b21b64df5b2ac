package io.gatun.models.clipseg;

import io.gatun.models.nn.Bicubic;
import io.gatun.models.nn.Constants;
import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// CLIP's image encoder, as far as the decoder reads it.
final class VisionEncoder {
  private final CLIPSegConfig config;
  private final ConvWeight patchEmbedding;
  private final Tensor classToken; // (D), with its position
  private final Tensor positions; // (G G, D)
  private final LayerNorm preLayerNorm;
  private final List<Layer> layers = new ArrayList<>();

  VisionEncoder(Weights weights, CLIPSegConfig config, Functional f) {
    this.config = config;
    int d = config.hiddenSize();
    int patch = config.patchSize();
    var embeddings = weights.at("embeddings");
    patchEmbedding =
        embeddings.convWithoutBias("patch_embedding", d, 3, patch, patch, ConvWeight.Padding.of(0));
    int stored = config.positionGrid();
    var table = embeddings.tensor("position_embedding.weight", 1 + (long) stored * stored, d);
    var ofClass = embeddings.tensor("class_embedding", d);
    classToken =
        Constants.keep(f, () -> f.add(f.cast(ofClass), f.cast(table.slice(0, 0, 1)).reshape(d)));
    float[] cells = table.slice(0, 1, table.dim(0)).toFloats();
    int grid = config.grid();
    float[] resized = Bicubic.resize(cells, stored, grid, d);
    var resizedCells = Tensor.ofFloats(Arena.ofAuto(), resized, (long) grid * grid, d);
    positions = Constants.keep(f, () -> f.cast(resizedCells));
    // The reference's spelling.
    preLayerNorm = weights.layerNorm("pre_layrnorm", d, config.layerNormEps());
    int last = config.extractLayers().stream().mapToInt(i -> i).max().orElseThrow();
    for (int i = 0; i <= last; i++) {
      layers.add(
          Layer.of(
              weights.at("encoder.layers", i),
              d,
              config.intermediateSize(),
              config.numAttentionHeads(),
              config.hiddenAct(),
              config.layerNormEps()));
    }
  }

  /// What the layers give that the decoder reads, in their order: (1, 1 + G G, D) each.
  ///
  /// @param image (1, size, size, 3) of the activations' type, normalized
  List<Tensor> forward(Functional f, Tensor image) {
    long d = config.hiddenSize();
    long cells = positions.dim(0);
    var patches = f.add(f.conv2d(image, patchEmbedding).reshape(1, cells, d), positions);
    var x = f.empty(1, 1 + cells, d);
    MemorySegment.copy(classToken.segment(), 0, x.segment(), 0, classToken.byteSize());
    MemorySegment.copy(
        patches.segment(), 0, x.segment(), classToken.byteSize(), patches.byteSize());
    x = preLayerNorm.forward(f, x);
    var read = new ArrayList<Tensor>();
    for (int i = 0; i < layers.size(); i++) {
      x = layers.get(i).encode(f, x);
      if (config.extractLayers().contains(i)) {
        read.add(x);
      }
    }
    return read;
  }
}
