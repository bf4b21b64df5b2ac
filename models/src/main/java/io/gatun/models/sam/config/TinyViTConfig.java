package io.gatun.models.sam.config;

import io.gatun.loaders.CheckpointException;
import java.util.ArrayList;
import java.util.List;

/// The hyper-parameters of MobileSAM's image encoder, all of which show from the tensors.
///
/// @param embedDims channels of the tokens in each stage
/// @param depths blocks of each stage, the first of which has convolutions only
/// @param numHeads heads of the attention in each later stage
/// @param windowSizes the side of the windows in each later stage, in tokens
/// @param outChans channels of the embedding
public record TinyViTConfig(
    List<Integer> embedDims,
    List<Integer> depths,
    List<Integer> numHeads,
    List<Integer> windowSizes,
    int outChans)
    implements ImageEncoderConfig {
  private static final int STAGES = 4;

  /// What halves rows and columns: the two convolutions at the beginning, and two of the steps
  /// between stages. The third one does not.
  private static final int PATCH = 16;

  private static final int PUBLISHED_SIZE = 1024;

  public TinyViTConfig {
    for (int i = 0; i < numHeads.size(); i++) {
      if (embedDims.get(i + 1) % numHeads.get(i) != 0) {
        throw new CheckpointException(
            "%d channels of the image encoder cannot be split among %d heads"
                .formatted(embedDims.get(i + 1), numHeads.get(i)));
      }
    }
  }

  /// Of a checkpoint.
  static TinyViTConfig of(Shapes shapes) {
    var dims = new ArrayList<Integer>();
    var depths = new ArrayList<Integer>();
    var heads = new ArrayList<Integer>();
    var windows = new ArrayList<Integer>();
    dims.add(shapes.dim("image_encoder.patch_embed.seq.2.c.weight", 0, 4));
    depths.add(shapes.count("image_encoder.layers.0.blocks.%d.conv1.c.weight"));
    for (int i = 1; i < STAGES; i++) {
      String block = "image_encoder.layers.%d.blocks.".formatted(i);
      dims.add(shapes.dim(block + "0.attn.norm.weight", 0, 1));
      depths.add(shapes.count(block + "%d.attn.norm.weight"));
      String biases = block + "0.attn.attention_biases";
      heads.add(shapes.dim(biases, 0, 2));
      int cells = shapes.dim(biases, 1, 2);
      int side = (int) Math.round(Math.sqrt(cells));
      if (side * side != cells) {
        throw shapes.wrong(biases, "as many columns as a square window has cells");
      }
      windows.add(side);
    }
    return new TinyViTConfig(
        List.copyOf(dims),
        List.copyOf(depths),
        List.copyOf(heads),
        List.copyOf(windows),
        shapes.dim("image_encoder.neck.0.weight", 0, 4));
  }

  @Override
  public int depth() {
    return depths.stream().mapToInt(i -> i).sum();
  }

  @Override
  public int embedDim() {
    return embedDims.getFirst();
  }

  @Override
  public int patchSize() {
    return PATCH;
  }

  @Override
  public int trainedSize() {
    return PUBLISHED_SIZE;
  }
}
