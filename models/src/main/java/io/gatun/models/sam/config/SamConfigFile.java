package io.gatun.models.sam.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.UnknownKeys;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/// The config.json beside a Segment Anything model, in transformers' spelling or that of
/// segment_anything's constructors, or none: what the tensors do not show, and a check of what they
/// do.
final class SamConfigFile {
  private static final Set<String> TYPES = Set.of("sam", "sam_hq");

  /// Heads of the published models' mask decoders, and the channels that they share.
  private static final int DECODER_HEADS = 8;

  private static final int OUT_CHANS = 256;

  /// Channels of a head in the published EfficientSAMs' image encoders.
  private static final int HEAD_CHANNELS = 64;

  private static final int INTERNAL = 128;

  /// Sizes that follow from others.
  private static final Pattern HARMLESS =
      Pattern.compile(
          "image_size|img_size|scale|projection_dim|intermediate_size|num_pos_feats|mlp_ratio"
              + "|attention_downsample_rate|image_embedding_size|input_image_size|qkv_bias");

  private final Checkpoint checkpoint;
  private final JsonKeys keys;
  private final JsonKeys vision;
  private final JsonKeys prompt;
  private final JsonKeys decoder;
  private final JsonKeys transformer;

  /// @throws CheckpointException if the file is damaged, or a directory is another model's
  SamConfigFile(Checkpoint checkpoint) {
    this(checkpoint, Set.of());
  }

  /// @param others types of models whose file may lie there, of which nothing is read
  SamConfigFile(Checkpoint checkpoint, Set<String> others) {
    this.checkpoint = checkpoint;
    keys = find(checkpoint.path(), others);
    vision = section(keys, "vision_config", "image_encoder");
    prompt = section(keys, "prompt_encoder_config", "prompt_encoder");
    decoder = section(keys, "mask_decoder_config", "mask_decoder");
    // Hugging Face has the transformer's keys among the decoder's.
    transformer = decoder.isAbsent("transformer") ? decoder : decoder.section("transformer");
  }

  /// The config.json of a model's directory, if it is that of such a model. One beside a file may
  /// be any other model's.
  private static JsonKeys find(Path path, Set<String> others) {
    Path dir = Files.isDirectory(path) ? path : path.toAbsolutePath().getParent();
    Path file = dir.resolve("config.json");
    if (Files.exists(file)) {
      var found = JsonKeys.read(file);
      boolean decoder = !found.isAbsent("mask_decoder") || !found.isAbsent("mask_decoder_config");
      String type = found.text("model_type", decoder ? "sam" : "");
      if (TYPES.contains(type)) {
        return found;
      }
      if (Files.isDirectory(path) && !others.contains(type)) {
        throw new CheckpointException(
            "%s: \"model_type\" is \"%s\"; need \"sam\" or \"sam_hq\", as the tensors beside it are a Segment"
                    .formatted(file, type)
                + " Anything model's");
      }
    }
    return new JsonKeys(MissingNode.getInstance(), file.toString());
  }

  private static JsonKeys section(JsonKeys keys, String huggingFace, String segmentAnything) {
    return keys.section(keys.isAbsent(huggingFace) ? segmentAnything : huggingFace);
  }

  /// The heads of EfficientSAM's image encoder, which no tensor shows.
  ///
  /// @throws CheckpointException if neither the file says them nor the size, as published
  int encoderHeads(int embedDim) {
    String key = vision.isAbsent("num_heads") ? "num_attention_heads" : "num_heads";
    if (!vision.isAbsent(key)) {
      return vision.count(key);
    }
    if (embedDim % HEAD_CHANNELS == 0) {
      return embedDim / HEAD_CHANNELS;
    }
    throw new CheckpointException(
        "%s: no published EfficientSAM: its image encoder has %d channels, no multiple of %d, and in how many heads its attention has them does not show from the tensors. Need a config.json beside it with \"model_type\": \"sam\", vision_config.num_attention_heads and mask_decoder_config.num_attention_heads; copy it there from where the checkpoint came from"
            .formatted(checkpoint.path(), embedDim, HEAD_CHANNELS));
  }

  /// The heads of the mask decoder, which no tensor shows.
  ///
  /// @throws CheckpointException if neither the file says them nor the sizes, as published
  int decoderHeads(int outChans, int internal) {
    String key = transformer.isAbsent("num_heads") ? "num_attention_heads" : "num_heads";
    if (!transformer.isAbsent(key)) {
      return transformer.count(key);
    }
    if (outChans == OUT_CHANS && internal == INTERNAL) {
      return DECODER_HEADS;
    }
    throw new CheckpointException(
        "%s: no published Segment Anything model: its mask decoder has %d and %d channels instead of %d and %d, and in how many heads its attention has them does not show from the tensors. Need a config.json beside it with \"model_type\": \"sam\" and mask_decoder_config.num_attention_heads; copy it there from where the checkpoint came from"
            .formatted(checkpoint.path(), outChans, internal, OUT_CHANS, INTERNAL));
  }

  float layerNormEps() {
    return (float) vision.number("layer_norm_eps", 1e-6);
  }

  float decoderLayerNormEps() {
    return (float) transformer.number("layer_norm_eps", 1e-5);
  }

  float maskThreshold() {
    return (float) keys.number("mask_threshold", 0);
  }

  /// How everything in an image is looked for by default, by the names of [MaskGeneratorOptions]'s
  /// settings.
  Map<String, Double> maskGenerator() {
    var parameters = new LinkedHashMap<String, Double>();
    var generator = keys.section("mask_generator");
    for (String name : (Iterable<String>) () -> generator.json().fieldNames()) {
      parameters.put(name, generator.number(name, 0));
    }
    try {
      var _ = new MaskGeneratorOptions(parameters);
    } catch (IllegalArgumentException e) {
      throw new CheckpointException(generator.where() + ": " + e.getMessage(), e);
    }
    return Collections.unmodifiableMap(parameters);
  }

  String trainedOn() {
    return keys.text("trained_on", "");
  }

  /// Three numbers for red, green and blue.
  List<Float> pixels(String key, List<Float> absent) {
    if (keys.isAbsent(key)) {
      return absent;
    }
    var list = new ArrayList<Float>();
    for (JsonNode v : keys.json().path(key)) {
      list.add(v.isNumber() ? v.floatValue() : 0f);
    }
    if (list.size() != 3 || list.contains(0f) || !list.stream().allMatch(Float::isFinite)) {
      throw new CheckpointException(
          "%s: \"%s\" is %s; need three numbers other than 0, for red, green and blue"
              .formatted(keys.where(), key, UnknownKeys.shown(keys.json().path(key))));
    }
    return List.copyOf(list);
  }

  /// Checks that what the file says agrees with what the tensors show, and that there is nothing
  /// else in it that Gatun does not know.
  ///
  /// @throws CheckpointException if it is another model's, or asks for what Gatun does not do
  void check(SamConfig config, ViTConfig encoder) {
    requireActivation(vision, "gelu");
    requireActivation(prompt, "gelu");
    if (transformer == decoder) {
      requireActivation(decoder, "relu");
    } else {
      requireActivation(decoder, "gelu");
      requireActivation(transformer, "relu");
    }
    agree(vision, encoder.embedDim(), "hidden_size", "embed_dim");
    agree(vision, encoder.depth(), "num_hidden_layers", "depth");
    agree(vision, encoder.numHeads(), "num_attention_heads", "num_heads");
    agree(vision, encoder.patchSize(), "patch_size");
    agree(vision, config.outChans(), "output_channels", "out_chans");
    agree(vision, encoder.mlpDim(), "mlp_dim");
    agree(vision, 3, "num_channels", "in_chans");
    if (encoder.windowSize() > 0) {
      agree(vision, encoder.windowSize(), "window_size");
    }
    if (!vision.isAbsent("global_attn_indexes")) {
      var found = vision.json().path("global_attn_indexes");
      var needed = encoder.globalAttnIndexes().toString();
      if (!found.toString().equals(needed.replace(" ", ""))) {
        throw disagree(vision, "global_attn_indexes", UnknownKeys.shown(found), needed);
      }
    }
    vision.requireFlag("use_abs_pos", true);
    vision.requireFlag("use_rel_pos", true);
    agree(prompt, config.outChans(), "hidden_size", "embed_dim");
    agree(prompt, config.maskInChans(), "mask_input_channels", "mask_in_chans");
    agree(prompt, encoder.patchSize(), "patch_size");
    agree(prompt, 4, "num_point_embeddings");
    agree(decoder, config.outChans(), "hidden_size", "transformer_dim");
    agree(decoder, config.numMultimaskOutputs(), "num_multimask_outputs");
    agree(decoder, encoder.embedDim(), "vit_dim");
    agree(decoder, config.iouHeadHiddenDim(), "iou_head_hidden_dim");
    agree(decoder, 3, "iou_head_depth");
    agree(transformer, config.outChans(), "hidden_size", "embedding_dim");
    agree(transformer, config.decoderDepth(), "num_hidden_layers", "depth");
    agree(transformer, config.decoderMlpDim(), "mlp_dim");
    prompt.require("layer_norm_eps", 1e-6);
    prompt.require("layer_norm2d_eps", 1e-6);
    decoder.require("layer_norm2d_eps", 1e-6);
    for (var part : List.of(keys, vision, prompt, decoder, transformer)) {
      part.requireAllRead(HARMLESS);
    }
  }

  private static void requireActivation(JsonKeys keys, String needed) {
    keys.require("hidden_act", needed, needed);
    keys.require("act", needed, needed);
  }

  /// Checks a size under each of the names that it may have.
  private void agree(JsonKeys part, int shown, String... names) {
    for (String name : names) {
      int said = part.integer(name, shown);
      if (said != shown) {
        throw disagree(part, name, "" + said, "" + shown);
      }
    }
  }

  private CheckpointException disagree(JsonKeys part, String name, String said, String shown) {
    return new CheckpointException(
        "%s: \"%s\" is %s, but the tensors of %s say %s: they are not of one model"
            .formatted(part.where(), name, said, checkpoint.path(), shown));
  }
}
