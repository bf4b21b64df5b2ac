package io.gatun.models.clip;

import io.gatun.models.nn.Bicubic;
import io.gatun.models.nn.Constants;
import io.gatun.models.nn.LayerNorm;
import io.gatun.models.nn.Scoped;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.AttentionSpec;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// CLIP's image encoder: a transformer over an image's patches, and one state more for all of it.
/// Images of another size than it was trained with get interpolated positions.
public final class CLIPVisionModel {
  private final CLIPVisionConfig config;
  private final ConvWeight patchEmbedding;
  private final Tensor classToken; // (D), with its position
  private final Tensor positions; // (G G, D)
  private final LayerNorm preLayerNorm;
  private final List<CLIPEncoderLayer> layers = new ArrayList<>();

  /// @param weights below `vision_model`
  /// @param size the side of the images, in pixels
  /// @param depth how many of its layers are run
  /// @throws io.gatun.loaders.CheckpointException if a tensor is missing or has another shape than
  ///   the configuration says
  public CLIPVisionModel(
      CLIPVisionConfig config, Weights weights, int size, int depth, Functional f) {
    this.config = config;
    int d = config.hiddenSize();
    int patch = config.patchSize();
    var embeddings = weights.at("embeddings");
    patchEmbedding =
        embeddings.convWithoutBias("patch_embedding", d, 3, patch, patch, ConvWeight.Padding.of(0));
    int stored = config.imageSize() / patch;
    var table = embeddings.tensor("position_embedding.weight", 1 + (long) stored * stored, d);
    var ofClass = embeddings.tensor("class_embedding", d);
    classToken =
        Constants.keep(f, () -> f.add(f.cast(ofClass), f.cast(table.slice(0, 0, 1)).reshape(d)));
    int grid = size / patch;
    float[] cells = table.slice(0, 1, table.dim(0)).toFloats();
    float[] resized = grid == stored ? cells : Bicubic.resize(cells, stored, grid, d);
    var resizedCells = Tensor.ofFloats(Arena.ofAuto(), resized, (long) grid * grid, d);
    positions = Constants.keep(f, () -> f.cast(resizedCells));
    // The reference's spelling.
    preLayerNorm = weights.layerNorm("pre_layrnorm", d, config.layerNormEps());
    var attention =
        AttentionSpec.full((float) (1 / Math.sqrt((double) d / config.numAttentionHeads())));
    for (int i = 0; i < depth; i++) {
      layers.add(
          new CLIPEncoderLayer(
              d,
              config.intermediateSize(),
              config.numAttentionHeads(),
              config.hiddenAct(),
              config.layerNormEps(),
              attention,
              weights.at("encoder.layers", i)));
    }
  }

  /// The states (B, 1 + G G, D) after the last of the layers that are run, not normalized: that of
  /// the whole image, then those of its patches.
  ///
  /// @param images (B, size, size, 3) of the activations' type, normalized
  public Tensor forward(Functional f, Tensor images) {
    return Scoped.call(f, () -> forward(f, images, x -> {}));
  }

  /// As [#forward(Functional, Tensor)], showing `probe` the states after each layer.
  public Tensor forward(Functional f, Tensor images, Consumer<Tensor> probe) {
    long d = config.hiddenSize();
    long cells = positions.dim(0);
    long count = images.dim(0);
    var patches = f.add(f.conv2d(images, patchEmbedding).reshape(count, cells, d), positions);
    var x = f.empty(count, 1 + cells, d);
    long image = patches.byteSize() / count;
    long token = classToken.byteSize();
    for (long b = 0; b < count; b++) {
      long at = b * (token + image);
      MemorySegment.copy(classToken.segment(), 0, x.segment(), at, token);
      MemorySegment.copy(patches.segment(), b * image, x.segment(), at + token, image);
    }
    x = preLayerNorm.forward(f, x);
    for (var layer : layers) {
      x = layer.forward(f, x);
      probe.accept(x);
    }
    return x;
  }
}
