package io.gatun.models.sam.config;

import io.gatun.loaders.CheckpointException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/// The hyper-parameters of SAM's own image encoder, named as the reference's constructor arguments,
/// or of EfficientSAM's.
///
/// @param imgSize the side of the square that it looks at, in pixels
/// @param positionGrid rows and columns of tokens that the stored positions are for
/// @param patchSize the side of a patch, which becomes one token
/// @param embedDim channels of the tokens
/// @param depth blocks
/// @param numHeads heads of the attention
/// @param mlpDim hidden channels of the blocks
/// @param outChans channels of the embedding
/// @param windowSize the side of the windows in tokens; 0 if all blocks are global
/// @param globalAttnIndexes the blocks whose attention spans the whole image
/// @param layerNormEps of the blocks
/// @param relativePositions whether the attention has them, as SAM's; EfficientSAM's has not, and
///   its stored positions begin with those of a class token that is not there
public record ViTConfig(
    int imgSize,
    int positionGrid,
    int patchSize,
    int embedDim,
    int depth,
    int numHeads,
    int mlpDim,
    int outChans,
    int windowSize,
    List<Integer> globalAttnIndexes,
    float layerNormEps,
    boolean relativePositions)
    implements ImageEncoderConfig {
  private static final int EFFICIENT_SAM_SIZE = 1024;

  public ViTConfig {
    if (numHeads < 1 || embedDim % numHeads != 0) {
      throw new CheckpointException(
          "%d channels of the image encoder cannot be split among %d heads"
              .formatted(embedDim, numHeads));
    }
  }

  /// Of a checkpoint.
  ///
  /// @param imgSize 0 for what the model was made for
  static ViTConfig of(Shapes shapes, int imgSize, float layerNormEps) {
    int patch = shapes.dim("image_encoder.patch_embed.proj.weight", 2, 4);
    int embedDim = shapes.dim("image_encoder.patch_embed.proj.weight", 0, 4);
    int grid = shapes.dim("image_encoder.pos_embed", 1, 4);
    int depth = shapes.count("image_encoder.blocks.%d.norm1.weight");
    var global = new ArrayList<Integer>();
    int window = 0;
    for (int i = 0; i < depth; i++) {
      String name = "image_encoder.blocks.%d.attn.rel_pos_h".formatted(i);
      int positions = shapes.dim(name, 0, 2);
      if (positions == 2 * grid - 1) {
        global.add(i);
      } else if (window == 0 || positions == 2 * window - 1) {
        window = (positions + 1) / 2;
      } else {
        throw shapes.wrong(
            name,
            "%d rows, as other blocks have windows of %d x %d"
                .formatted(2 * window - 1, window, window));
      }
    }
    return new ViTConfig(
        imgSize == 0 ? grid * patch : imgSize,
        grid,
        patch,
        embedDim,
        depth,
        embedDim / shapes.dim("image_encoder.blocks.0.attn.rel_pos_h", 1, 2),
        shapes.dim("image_encoder.blocks.0.mlp.lin1.weight", 0, 2),
        shapes.dim("image_encoder.neck.0.weight", 0, 4),
        window,
        List.copyOf(global),
        layerNormEps,
        true);
  }

  /// Of EfficientSAM's checkpoint, whose positions are those of a smaller input.
  static ViTConfig ofEfficientSam(Shapes shapes, int imgSize, SamConfigFile file) {
    int embedDim = shapes.dim("image_encoder.patch_embed.proj.weight", 0, 4);
    int depth = shapes.count("image_encoder.blocks.%d.norm1.weight");
    int cells = shapes.dim("image_encoder.pos_embed", 1, 3) - 1;
    int grid = (int) Math.round(Math.sqrt(cells));
    if (grid < 1 || grid * grid != cells) {
      throw shapes.wrong(
          "image_encoder.pos_embed", "a row for a class token and one for each cell of a square");
    }
    return new ViTConfig(
        imgSize == 0 ? EFFICIENT_SAM_SIZE : imgSize,
        grid,
        shapes.dim("image_encoder.patch_embed.proj.weight", 2, 4),
        embedDim,
        depth,
        file.encoderHeads(embedDim),
        shapes.dim("image_encoder.blocks.0.mlp.lin1.weight", 0, 2),
        shapes.dim("image_encoder.neck.0.weight", 0, 4),
        0,
        IntStream.range(0, depth).boxed().toList(),
        file.layerNormEps(),
        false);
  }

  /// Rows and columns of tokens.
  public int grid() {
    return imgSize / patchSize;
  }

  @Override
  public int trainedSize() {
    return relativePositions ? positionGrid * patchSize : EFFICIENT_SAM_SIZE;
  }

  /// Whether a block's attention spans the whole image.
  public boolean isGlobal(int block) {
    return globalAttnIndexes.contains(block);
  }
}
