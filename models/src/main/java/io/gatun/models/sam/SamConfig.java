package io.gatun.models.sam;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// The hyper-parameters of a Segment Anything model; components are named as the reference's
/// constructor arguments.
///
/// @param imgSize the side of the square that the encoder looks at, in pixels
/// @param positionGrid rows and columns of tokens that the stored positions are for
/// @param patchSize the side of a patch, which becomes one token
/// @param embedDim channels of the encoder's tokens
/// @param depth blocks of the encoder
/// @param numHeads heads of the encoder's attention
/// @param mlpDim hidden channels of the encoder's blocks
/// @param outChans channels of the image embedding, of the prompts' and in the mask decoder
/// @param windowSize the side of the encoder's windows in tokens; 0 if all blocks are global
/// @param globalAttnIndexes the blocks whose attention spans the whole image
/// @param maskInChans hidden channels where mask prompts are encoded
/// @param decoderDepth blocks of the mask decoder's transformer
/// @param decoderHeads heads of its attention
/// @param decoderInternalDim channels to which attention between tokens and image projects
/// @param decoderMlpDim hidden channels of its blocks
/// @param numMultimaskOutputs masks for an ambiguous prompt
/// @param iouHeadHiddenDim hidden channels where the quality of masks is predicted
/// @param highQuality whether SAM-HQ's token corrects the masks
/// @param layerNormEps of the encoder's blocks
/// @param decoderLayerNormEps of the decoder's blocks
/// @param pixelMean of red, green and blue, 0 to 255
/// @param pixelStd likewise
/// @param maskThreshold the logit above which a pixel belongs to a mask
/// @param maskGenerator parameters of the mask generator that suit the model, by the reference's
///   names; empty for the reference's
/// @param trainedOn what the model has seen, if that was less than the world: `drawn shapes`
public record SamConfig(
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
    int maskInChans,
    int decoderDepth,
    int decoderHeads,
    int decoderInternalDim,
    int decoderMlpDim,
    int numMultimaskOutputs,
    int iouHeadHiddenDim,
    boolean highQuality,
    float layerNormEps,
    float decoderLayerNormEps,
    List<Float> pixelMean,
    List<Float> pixelStd,
    float maskThreshold,
    Map<String, Double> maskGenerator,
    String trainedOn) {
  private static final List<Float> PIXEL_MEAN = List.of(123.675f, 116.28f, 103.53f);
  private static final List<Float> PIXEL_STD = List.of(58.395f, 57.12f, 57.375f);

  /// The configuration of a checkpoint: from the shapes of its tensors, and what they do not say
  /// from the config.json in its directory, or else, if it is of their sizes, as in the published
  /// models.
  ///
  /// @param imgSize the side of the input, a multiple of the patch size; 0 for what the model was
  ///   made for
  /// @throws CheckpointException if the checkpoint holds no such model
  public static SamConfig of(Checkpoint checkpoint, int imgSize) {
    var shapes = new Shapes(checkpoint, SamNames.of(checkpoint));
    int patch = shapes.dim("image_encoder.patch_embed.proj.weight", 2, 4);
    int embedDim = shapes.dim("image_encoder.patch_embed.proj.weight", 0, 4);
    int grid = shapes.dim("image_encoder.pos_embed", 1, 4);
    if (imgSize < 0 || imgSize % patch != 0) {
      throw new IllegalArgumentException(
          "the image size is %d; need a multiple of the model's patch size %d"
              .formatted(imgSize, patch));
    }
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
    String layer = "mask_decoder.transformer.layers.%d.";
    int outChans = shapes.dim("image_encoder.neck.0.weight", 0, 4);
    int internal = shapes.dim(layer.formatted(0) + "cross_attn_token_to_image.q_proj.weight", 0, 2);
    var file = new SamConfigFile(checkpoint);
    var config =
        new SamConfig(
            imgSize == 0 ? grid * patch : imgSize,
            grid,
            patch,
            embedDim,
            depth,
            embedDim / shapes.dim("image_encoder.blocks.0.attn.rel_pos_h", 1, 2),
            shapes.dim("image_encoder.blocks.0.mlp.lin1.weight", 0, 2),
            outChans,
            window,
            List.copyOf(global),
            shapes.dim("prompt_encoder.mask_downscaling.3.weight", 0, 4),
            shapes.count(layer + "norm1.weight"),
            file.decoderHeads(outChans, internal),
            internal,
            shapes.dim(layer.formatted(0) + "mlp.lin1.weight", 0, 2),
            shapes.dim("mask_decoder.mask_tokens.weight", 0, 2) - 1,
            shapes.dim("mask_decoder.iou_prediction_head.layers.0.weight", 0, 2),
            shapes.has("mask_decoder.hf_token.weight"),
            file.layerNormEps(),
            file.decoderLayerNormEps(),
            file.pixels("pixel_mean", PIXEL_MEAN),
            file.pixels("pixel_std", PIXEL_STD),
            file.maskThreshold(),
            file.maskGenerator(),
            file.trainedOn());
    file.check(config);
    return config;
  }

  public SamConfig {
    if (numHeads < 1 || embedDim % numHeads != 0) {
      throw new CheckpointException(
          "%d channels of the image encoder cannot be split among %d heads"
              .formatted(embedDim, numHeads));
    }
    if (decoderHeads < 1
        || outChans % 8 != 0
        || outChans % decoderHeads != 0
        || decoderInternalDim % decoderHeads != 0) {
      throw new CheckpointException(
          "%d and %d channels of the mask decoder: need multiples of its %d heads, and of 8"
              .formatted(outChans, decoderInternalDim, decoderHeads));
    }
    if (numMultimaskOutputs < 1) {
      throw new CheckpointException("the mask decoder has no token for ambiguous prompts");
    }
  }

  /// Rows and columns of tokens.
  public int grid() {
    return imgSize / patchSize;
  }

  /// The side of the masks that the decoder makes, and of those in prompts.
  public int maskSize() {
    return 4 * grid();
  }

  /// Whether a block's attention spans the whole image.
  boolean isGlobal(int block) {
    return globalAttnIndexes.contains(block);
  }

  /// Sizes of tensors by segment_anything's names.
  private record Shapes(Checkpoint checkpoint, SamNames names) {
    private static final int MAX_DIM = 1 << 20;

    /// @param rank what the tensor needs to have
    int dim(String name, int dim, int rank) {
      var tensor = checkpoint.tensor(names.name(name));
      if (tensor.shape().rank() != rank || tensor.size() == 0 || tensor.dim(dim) > MAX_DIM) {
        throw wrong(name, "%d dimensions, of at most %d".formatted(rank, MAX_DIM));
      }
      return Math.toIntExact(tensor.dim(dim));
    }

    /// How many layers there are.
    boolean has(String name) {
      return checkpoint.tensors().containsKey(names.name(name));
    }

    int count(String name) {
      int n = 0;
      while (checkpoint.tensors().containsKey(names.name(name.formatted(n)))) {
        n++;
      }
      if (n == 0) {
        checkpoint.tensor(names.name(name.formatted(0))); // says that it is missing
      }
      return n;
    }

    CheckpointException wrong(String name, String need) {
      String stored = names.name(name);
      return new CheckpointException(
          "%s: tensor \"%s\" is %s; need %s. List the file with: gatun inspect %s"
              .formatted(
                  checkpoint.file(stored),
                  stored,
                  checkpoint.tensor(stored).shape(),
                  need,
                  checkpoint.path()));
    }
  }
}
