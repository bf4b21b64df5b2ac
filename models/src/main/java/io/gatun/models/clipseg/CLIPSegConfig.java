package io.gatun.models.clipseg;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.clip.CLIPTextConfig;
import io.gatun.models.clip.CLIPVisionConfig;
import io.gatun.models.nn.JsonKeys;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/// The hyper-parameters of CLIPSeg; components are named as in config.json.
///
/// @param text of the text encoder
/// @param vision of the image encoder
/// @param size the side of the square that an image is resized to, in pixels
/// @param extractLayers the layers whose results the decoder reads
/// @param conditionalLayer of the decoder's layers the one before which the text comes in
record CLIPSegConfig(
    CLIPTextConfig text,
    int size,
    CLIPVisionConfig vision,
    List<Integer> extractLayers,
    int reduceDim,
    int projectionDim,
    int conditionalLayer,
    int decoderIntermediateSize,
    int decoderNumAttentionHeads,
    boolean complexTransposedConvolution) {
  private static final int PUBLISHED_SIZE = 352;

  private static final Pattern HARMLESS =
      Pattern.compile(
          "attention_dropout|decoder_attention_dropout|initializer_factor|logit_scale_init_value"
              + "|decoder_hidden_act|bos_token_id|pad_token_id"
              + "|projection_dim|text_config_dict|vision_config_dict");

  /// Of a model's directory.
  ///
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  static CLIPSegConfig of(Path directory) {
    var keys = JsonKeys.read(directory.resolve("config.json"));
    keys.require("model_type", "clipseg", "");
    var text = keys.section("text_config");
    var vision = keys.section("vision_config");
    int projection = keys.count("projection_dim", 512);
    var config =
        new CLIPSegConfig(
            CLIPTextConfig.section(text, projection),
            size(directory),
            CLIPVisionConfig.section(vision),
            keys.counts("extract_layers"),
            keys.count("reduce_dim", 64),
            projection,
            keys.integer("conditional_layer", 0),
            keys.count("decoder_intermediate_size", 2048),
            keys.count("decoder_num_attention_heads", 4),
            keys.flag("use_complex_transposed_convolution", false));
    for (var part : List.of(keys, text, vision)) {
      part.requireAllRead(HARMLESS);
    }
    return config;
  }

  /// What the preprocessor's file says: a number, or height and width.
  private static int size(Path directory) {
    Path file = directory.resolve("preprocessor_config.json");
    if (!Files.exists(file)) {
      return PUBLISHED_SIZE;
    }
    var size = JsonKeys.read(file).json().path("size");
    int side = size.isInt() ? size.intValue() : size.path("height").asInt();
    if (side < 1 || side > 1 << 12 || (!size.isInt() && size.path("width").asInt() != side)) {
      throw new CheckpointException(
          "%s: \"size\" is %s; need a square of 1 to 4096 pixels".formatted(file, size));
    }
    return side;
  }

  public CLIPSegConfig {
    int patchSize = vision.patchSize();
    if (size % patchSize != 0 || reduceDim % decoderNumAttentionHeads != 0 || patchSize % 4 != 0) {
      throw new CheckpointException(
          "CLIPSeg with patches of %d, images of %d, and %d channels in %d heads: need multiples"
              .formatted(patchSize, size, reduceDim, decoderNumAttentionHeads));
    }
    if (conditionalLayer < 0 || conditionalLayer >= extractLayers.size()) {
      throw new CheckpointException(
          "conditional_layer is %d; the decoder has %d layers"
              .formatted(conditionalLayer, extractLayers.size()));
    }
  }

  /// Rows and columns of patches.
  int grid() {
    return size / vision.patchSize();
  }
}
