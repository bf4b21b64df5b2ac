package io.gatun.models.sam.config;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.tensor.ops.Activation;
import java.util.List;
import java.util.Map;

/// The hyper-parameters of a Segment Anything model; components are named as the reference's
/// constructor arguments.
///
/// @param kind which of the family it is
/// @param imgSize the side of the square that the encoder looks at, in pixels
/// @param encoder of the image encoder
/// @param outChans channels of the image embedding, of the prompts' and in the mask decoder
/// @param maskInChans hidden channels where mask prompts are encoded; 0 if there are none
/// @param decoderDepth blocks of the mask decoder's transformer
/// @param decoderHeads heads of its attention
/// @param decoderInternalDim channels to which attention between tokens and image projects
/// @param decoderMlpDim hidden channels of its blocks
/// @param numMultimaskOutputs masks for an ambiguous prompt
/// @param iouHeadHiddenDim hidden channels where the quality of masks is predicted
/// @param decoderLayerNormEps of the decoder's blocks
/// @param pixelMean of red, green and blue, 0 to 255
/// @param pixelStd likewise
/// @param maskThreshold the logit above which a pixel belongs to a mask
/// @param maskGenerator parameters of the mask generator that suit the model, by the reference's
///   names; empty for the reference's
/// @param trainedOn what the model has seen, if that was less than the world: `drawn shapes`
public record SamConfig(
    Kind kind,
    int imgSize,
    ImageEncoderConfig encoder,
    int outChans,
    int maskInChans,
    int decoderDepth,
    int decoderHeads,
    int decoderInternalDim,
    int decoderMlpDim,
    int numMultimaskOutputs,
    int iouHeadHiddenDim,
    float decoderLayerNormEps,
    List<Float> pixelMean,
    List<Float> pixelStd,
    float maskThreshold,
    Map<String, Double> maskGenerator,
    String trainedOn) {
  /// How far SAM 2 moves the threshold to see whether its mask is stable.
  public static final double STABILITY_DELTA = 0.05;

  /// The share of pixels that a stable mask keeps then.
  public static final double STABILITY_THRESHOLD = 0.98;

  private static final List<Float> PIXEL_MEAN = List.of(123.675f, 116.28f, 103.53f);
  private static final List<Float> PIXEL_STD = List.of(58.395f, 57.12f, 57.375f);

  /// The members of the family, as far as prompts and masks go.
  public enum Kind {
    SAM,
    /// SAM-HQ, whose further token corrects the masks.
    HIGH_QUALITY,
    /// EfficientSAM, whose encoder is smaller, and which knows neither masks nor points beside the
    /// object as prompts.
    EFFICIENT,
    /// SAM 2 and 2.1, whose masks are read from finer levels of the image too.
    SAM2
  }

  /// The configuration of a checkpoint: from the shapes of its tensors, and what they do not say
  /// from the config.json in its directory, or else, if it is of their sizes, as in the published
  /// models.
  ///
  /// @param imgSize the side of the input, a multiple of the patch size; 0 for what the model was
  ///   made for
  /// @throws CheckpointException if the checkpoint holds no such model
  public static SamConfig of(Checkpoint checkpoint, int imgSize) {
    var shapes = new Shapes(checkpoint, SamNames.of(checkpoint));
    return switch (shapes.names()) {
      case SAM2, HUGGING_FACE_SAM2 -> sam2(shapes, imgSize);
      case EFFICIENT_SAM -> efficientSam(shapes, imgSize);
      case MOBILE_SAM -> mobileSam(shapes, imgSize);
      case SEGMENT_ANYTHING, HUGGING_FACE -> sam(shapes, imgSize);
    };
  }

  private static SamConfig sam(Shapes shapes, int imgSize) {
    var file = new SamConfigFile(shapes.checkpoint());
    var encoder = ViTConfig.of(shapes, imgSize, file.layerNormEps());
    int outChans = encoder.outChans();
    var config =
        of(
            shapes,
            shapes.has("mask_decoder.hf_token.weight") ? Kind.HIGH_QUALITY : Kind.SAM,
            imgSize,
            encoder,
            outChans,
            file.decoderHeads(outChans, internalDim(shapes)),
            file);
    file.check(config, encoder);
    return config;
  }

  private static SamConfig mobileSam(Shapes shapes, int imgSize) {
    var file = new SamConfigFile(shapes.checkpoint());
    var encoder = TinyViTConfig.of(shapes);
    int outChans = encoder.outChans();
    int heads = file.decoderHeads(outChans, internalDim(shapes));
    return of(shapes, Kind.SAM, imgSize, encoder, outChans, heads, file);
  }

  private static SamConfig efficientSam(Shapes shapes, int imgSize) {
    var file = new SamConfigFile(shapes.checkpoint());
    var encoder = ViTConfig.ofEfficientSam(shapes, imgSize, file);
    int outChans = encoder.outChans();
    int heads = file.decoderHeads(outChans, internalDim(shapes));
    return of(shapes, Kind.EFFICIENT, imgSize, encoder, outChans, heads, file);
  }

  private static SamConfig sam2(Shapes shapes, int imgSize) {
    var file = new Sam2ConfigFile(shapes.checkpoint());
    var encoder = HieraConfig.of(shapes, file);
    int outChans = shapes.dim("image_encoder.neck.convs.0.conv.weight", 0, 4);
    var common = new SamConfigFile(shapes.checkpoint(), Sam2ConfigFile.TYPES);
    var config =
        of(
            shapes,
            Kind.SAM2,
            imgSize,
            encoder,
            outChans,
            file.decoderHeads(outChans, internalDim(shapes)),
            common);
    file.check(config, encoder);
    return config;
  }

  private static int internalDim(Shapes shapes) {
    return shapes.dim(
        "mask_decoder.transformer.layers.0.cross_attn_token_to_image.q_proj.weight", 0, 2);
  }

  private static SamConfig of(
      Shapes shapes,
      Kind kind,
      int imgSize,
      ImageEncoderConfig encoder,
      int outChans,
      int decoderHeads,
      SamConfigFile file) {
    int step = encoder.sizeStep();
    if (imgSize < 0 || imgSize % step != 0) {
      throw new IllegalArgumentException(
          "the image size is %d; need a multiple of the model's %s %d"
              .formatted(imgSize, kind == Kind.SAM2 ? "windows," : "patch size", step));
    }
    String layer = "mask_decoder.transformer.layers.%d.";
    return new SamConfig(
        kind,
        imgSize == 0 ? encoder.trainedSize() : imgSize,
        encoder,
        outChans,
        kind == Kind.EFFICIENT ? 0 : shapes.dim("prompt_encoder.mask_downscaling.3.weight", 0, 4),
        shapes.count(layer + "norm1.weight"),
        decoderHeads,
        internalDim(shapes),
        shapes.dim(layer.formatted(0) + "mlp.lin1.weight", 0, 2),
        shapes.dim("mask_decoder.mask_tokens.weight", 0, 2) - 1,
        shapes.dim("mask_decoder.iou_prediction_head.layers.0.weight", 0, 2),
        file.decoderLayerNormEps(),
        file.pixels("pixel_mean", PIXEL_MEAN),
        file.pixels("pixel_std", PIXEL_STD),
        file.maskThreshold(),
        file.maskGenerator(),
        file.trainedOn());
  }

  public SamConfig {
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

  /// Whether SAM-HQ's token corrects the masks.
  public boolean highQuality() {
    return kind == Kind.HIGH_QUALITY;
  }

  /// What lies between the mask decoder's linear layers.
  public Activation decoderActivation() {
    return kind == Kind.EFFICIENT ? Activation.GELU : Activation.RELU;
  }

  /// Whether both sides of an image become the input's, whatever its proportion.
  public boolean stretches() {
    return kind == Kind.EFFICIENT || kind == Kind.SAM2;
  }

  /// Rows and columns of tokens.
  public int grid() {
    return imgSize / encoder.patchSize();
  }

  /// The side of the masks that the decoder makes, and of those in prompts.
  public int maskSize() {
    return 4 * grid();
  }
}
