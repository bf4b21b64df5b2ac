package io.gatun.models.sam.config;

import io.gatun.loaders.CheckpointException;
import java.util.ArrayList;
import java.util.List;

/// The hyper-parameters of SAM 2's image encoder.
///
/// @param trainedSize the side of the input that the model was made for
/// @param dims channels of the tokens in each stage
/// @param stages blocks of each stage; from the second on the first block halves rows and columns
/// @param heads of the attention in each stage
/// @param windows the side of the windows in each stage, in tokens
/// @param globalBlocks the blocks whose attention spans the whole image
/// @param topDown the stages whose features get those of the stage above
public record HieraConfig(
    int trainedSize,
    List<Integer> dims,
    List<Integer> stages,
    List<Integer> heads,
    List<Integer> windows,
    List<Integer> globalBlocks,
    List<Integer> topDown)
    implements ImageEncoderConfig {
  public static final float LAYER_NORM_EPS = 1e-6f;

  /// Pixels of the input for a token of the first stage.
  public static final int STRIDE = 4;

  /// Stages of all published models; the decoder takes the first three.
  private static final int STAGES = 4;

  public HieraConfig {
    if (dims.size() != STAGES || heads.size() != STAGES || windows.size() != STAGES) {
      throw new CheckpointException(
          "the image encoder has %d stages, heads for %d and windows for %d; need %d of each"
              .formatted(dims.size(), heads.size(), windows.size(), STAGES));
    }
    for (int i = 0; i < STAGES; i++) {
      if (heads.get(i) < 1 || dims.get(i) % heads.get(i) != 0) {
        throw new CheckpointException(
            "%d channels of the image encoder cannot be split among %d heads"
                .formatted(dims.get(i), heads.get(i)));
      }
    }
  }

  /// Of a checkpoint: a stage begins where a block has a projection.
  static HieraConfig of(Shapes shapes, Sam2ConfigFile file) {
    String block = "image_encoder.trunk.blocks.%d.";
    int depth = shapes.count(block + "norm1.weight");
    var dims = new ArrayList<Integer>();
    var stages = new ArrayList<Integer>();
    for (int i = 0; i < depth; i++) {
      if (i == 0 || shapes.has((block + "proj.weight").formatted(i))) {
        dims.add(shapes.dim((block + "norm2.weight").formatted(i), 0, 1));
        stages.add(0);
      }
      stages.set(stages.size() - 1, stages.getLast() + 1);
    }
    var layout = file.layout(dims.getFirst(), depth);
    return new HieraConfig(
        file.imageSize(),
        List.copyOf(dims),
        List.copyOf(stages),
        layout.heads(),
        layout.windows(),
        layout.globalBlocks(),
        layout.topDown());
  }

  @Override
  public int depth() {
    return stages.stream().mapToInt(i -> i).sum();
  }

  @Override
  public int embedDim() {
    return dims.getFirst();
  }

  /// The embedding is of the third stage.
  @Override
  public int patchSize() {
    return STRIDE * 4;
  }

  /// The positions of a window are repeated over the first stage's tokens.
  @Override
  public int sizeStep() {
    return Math.max(STRIDE * windows.getFirst(), 2 * patchSize());
  }
}
