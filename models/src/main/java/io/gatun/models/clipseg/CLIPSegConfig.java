package io.gatun.models.clipseg;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.clip.CLIPTextConfig;
import io.gatun.models.nn.JsonKeys;
import io.gatun.tensor.ops.Activation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/// The hyper-parameters of CLIPSeg; components are named as in config.json.
///
/// @param text of the text encoder
/// @param size the side of the square that an image is resized to, in pixels
/// @param extractLayers the layers whose results the decoder reads
/// @param conditionalLayer of the decoder's layers the one before which the text comes in
record CLIPSegConfig(
    CLIPTextConfig text,
    int size,
    int patchSize,
    int positionGrid,
    int hiddenSize,
    int intermediateSize,
    int numAttentionHeads,
    Activation hiddenAct,
    float layerNormEps,
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
              + "|decoder_hidden_act|image_size|num_hidden_layers|bos_token_id|pad_token_id"
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
    int patch = vision.count("patch_size", 32);
    vision.require("num_channels", 3);
    var config =
        new CLIPSegConfig(
            text(text, projection),
            size(directory),
            patch,
            vision.count("image_size", 224) / patch,
            vision.count("hidden_size", 768),
            vision.count("intermediate_size", 3072),
            vision.count("num_attention_heads", 12),
            activation(vision),
            (float) vision.number("layer_norm_eps", 1e-5),
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

  private static CLIPTextConfig text(JsonKeys keys, int projection) {
    return new CLIPTextConfig(
        keys.count("vocab_size", 49408),
        keys.count("hidden_size", 512),
        keys.count("intermediate_size", 2048),
        keys.count("num_hidden_layers", 12),
        keys.count("num_attention_heads", 8),
        keys.count("max_position_embeddings", 77),
        activation(keys),
        (float) keys.number("layer_norm_eps", 1e-5),
        projection,
        keys.integer("eos_token_id", 49407));
  }

  private static Activation activation(JsonKeys keys) {
    keys.require("hidden_act", "quick_gelu", "quick_gelu");
    return Activation.QUICK_GELU;
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
    if (size % patchSize != 0
        || hiddenSize % numAttentionHeads != 0
        || reduceDim % decoderNumAttentionHeads != 0
        || patchSize % 4 != 0) {
      throw new CheckpointException(
          "CLIPSeg with patches of %d, images of %d, %d channels in %d heads and %d in %d: need multiples"
              .formatted(
                  patchSize,
                  size,
                  hiddenSize,
                  numAttentionHeads,
                  reduceDim,
                  decoderNumAttentionHeads));
    }
    if (conditionalLayer < 0 || conditionalLayer >= extractLayers.size()) {
      throw new CheckpointException(
          "conditional_layer is %d; the decoder has %d layers"
              .formatted(conditionalLayer, extractLayers.size()));
    }
  }

  /// Rows and columns of patches.
  int grid() {
    return size / patchSize;
  }
}
