package io.gatun.models.sam.config;

import com.fasterxml.jackson.databind.node.MissingNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// The config.json beside a SAM 2 model, in transformers' spelling, or none, as with Meta's .pt
/// files: what the tensors do not show, and a check of what they do.
final class Sam2ConfigFile {
  static final Set<String> TYPES = Set.of("sam2", "sam2_video");

  private static final int IMAGE_SIZE = 1024;
  private static final int DECODER_HEADS = 8;
  private static final int OUT_CHANS = 256;

  private static final List<Integer> WINDOWS = List.of(8, 4, 14, 7);
  private static final List<Integer> TOP_DOWN = List.of(2, 3);

  /// The published models, by channels and blocks.
  private static final Map<List<Integer>, Layout> PUBLISHED =
      Map.of(
          List.of(96, 12), new Layout(heads(1), WINDOWS, List.of(5, 7, 9), TOP_DOWN),
          List.of(96, 16), new Layout(heads(1), WINDOWS, List.of(7, 10, 13), TOP_DOWN),
          List.of(112, 24), new Layout(heads(2), WINDOWS, List.of(12, 16, 20), TOP_DOWN),
          List.of(144, 48),
              new Layout(heads(2), List.of(8, 4, 16, 8), List.of(23, 33, 43), TOP_DOWN));

  /// Sizes that follow from others, and what is for training only.
  private static final Pattern HARMLESS =
      Pattern.compile(
          "hidden_size|num_attention_heads|backbone_channel_list|backbone_feature_sizes|image_size"
              + "|patch_size|scale|.*dropout|mask_downsampler_embed_dim|memory_encoder_hidden_size"
              + "|memory_attention_hidden_size|memory_attention_rope_feat_sizes"
              + "|memory_fuser_embed_dim|memory_fuser_intermediate_dim"
              + "|memory_fuser_layer_scale_init_value|chunk_size_feed_forward|return_dict"
              + "|num_feature_levels|window_positional_embedding_background_size|mlp_ratio"
              + "|memory_attention_feed_forward_hidden_size|id2label|label2id");

  private final Checkpoint checkpoint;
  private final JsonKeys keys;
  private final JsonKeys vision;
  private final JsonKeys backbone;
  private final JsonKeys prompt;
  private final JsonKeys decoder;

  /// What no tensor shows of the image encoder.
  record Layout(
      List<Integer> heads,
      List<Integer> windows,
      List<Integer> globalBlocks,
      List<Integer> topDown) {}

  /// Twice as many in each stage.
  private static List<Integer> heads(int first) {
    return List.of(first, 2 * first, 4 * first, 8 * first);
  }

  /// @throws CheckpointException if the file is damaged
  Sam2ConfigFile(Checkpoint checkpoint) {
    this.checkpoint = checkpoint;
    keys = find(checkpoint.path());
    vision = keys.section("vision_config");
    backbone = vision.section("backbone_config");
    prompt = keys.section("prompt_encoder_config");
    decoder = keys.section("mask_decoder_config");
  }

  private static JsonKeys find(Path path) {
    Path dir = Files.isDirectory(path) ? path : path.toAbsolutePath().getParent();
    Path file = dir.resolve("config.json");
    if (Files.exists(file)) {
      var found = JsonKeys.read(file);
      if (TYPES.contains(found.text("model_type", ""))) {
        return found;
      }
    }
    return new JsonKeys(MissingNode.getInstance(), file.toString());
  }

  /// The side of the input that the model was made for.
  int imageSize() {
    return keys.count("image_size", IMAGE_SIZE);
  }

  /// @throws CheckpointException if neither the file says it nor the sizes, as published
  Layout layout(int embedDim, int depth) {
    if (!backbone.isAbsent("num_attention_heads_per_stage")) {
      return new Layout(
          backbone.counts("num_attention_heads_per_stage"),
          backbone.counts("window_size_per_stage"),
          integers(backbone, "global_attention_blocks"),
          integers(vision, "fpn_top_down_levels"));
    }
    var published = PUBLISHED.get(List.of(embedDim, depth));
    if (published == null) {
      throw unpublished(
          "its image encoder has %d blocks from %d channels on, and heads and windows do not show from the tensors"
              .formatted(depth, embedDim));
    }
    return published;
  }

  private static List<Integer> integers(JsonKeys keys, String key) {
    float[] numbers = keys.numbers(key);
    return IntStream.range(0, numbers.length).mapToObj(i -> (int) numbers[i]).toList();
  }

  /// The heads of the mask decoder, which no tensor shows.
  ///
  /// @throws CheckpointException if neither the file says them nor the sizes, as published
  int decoderHeads(int outChans, int internal) {
    if (!decoder.isAbsent("num_attention_heads")) {
      return decoder.count("num_attention_heads");
    }
    if (outChans == OUT_CHANS && internal == OUT_CHANS / 2) {
      return DECODER_HEADS;
    }
    throw unpublished(
        "its mask decoder has %d and %d channels, and heads do not show from the tensors"
            .formatted(outChans, internal));
  }

  private CheckpointException unpublished(String why) {
    return new CheckpointException(
        "%s: no published SAM 2 model: %s. Need a config.json beside it with \"model_type\": \"sam2_video\"; copy it there from where the checkpoint came from"
            .formatted(checkpoint.path(), why));
  }

  /// Checks that what the file says agrees with what the tensors show, and that there is nothing
  /// else in it that Gatun does not know.
  ///
  /// @throws CheckpointException if it is another model's, or asks for what Gatun does not do
  void check(SamConfig config, HieraConfig encoder) {
    if (keys.isAbsent("model_type")) {
      return;
    }
    agree(vision, "fpn_hidden_size", config.outChans());
    agreeAll(backbone, "embed_dim_per_stage", encoder.dims());
    agreeAll(backbone, "blocks_per_stage", encoder.stages());
    agree(backbone, "num_query_pool_stages", encoder.stages().size() - 1);
    agree(backbone, "num_channels", 3);
    requireAll(backbone, "patch_kernel_size", 7);
    requireAll(backbone, "patch_stride", HieraConfig.STRIDE);
    requireAll(backbone, "patch_padding", 3);
    requireAll(backbone, "query_stride", 2);
    for (var part : List.of(backbone, vision, prompt, decoder)) {
      part.require("hidden_act", "gelu", "gelu");
      part.require("layer_norm_eps", 1e-6);
    }
    vision.require("fpn_kernel_size", 1);
    vision.require("fpn_stride", 1);
    vision.require("fpn_padding", 0);
    agree(prompt, "mask_input_channels", config.maskInChans());
    agree(prompt, "num_point_embeddings", 4);
    agree(decoder, "num_hidden_layers", config.decoderDepth());
    agree(decoder, "mlp_dim", config.decoderMlpDim());
    agree(decoder, "iou_head_hidden_dim", config.iouHeadHiddenDim());
    agree(decoder, "iou_head_depth", 3);
    agree(decoder, "num_multimask_outputs", config.numMultimaskOutputs());
    agree(decoder, "attention_downsample_rate", config.outChans() / config.decoderInternalDim());
    decoder.requireFlag("dynamic_multimask_via_stability", true);
    decoder.require("dynamic_multimask_stability_delta", SamConfig.STABILITY_DELTA);
    decoder.require("dynamic_multimask_stability_thresh", SamConfig.STABILITY_THRESHOLD);
    checkVideo();
    for (var part : List.of(keys, vision, backbone, prompt, decoder)) {
      part.requireAllRead(HARMLESS);
    }
  }

  /// What following objects through a video has in all published models.
  private void checkVideo() {
    keys.flag("enable_occlusion_spatial_embedding", false); // shows from the tensors
    keys.flag("enable_temporal_pos_encoding_for_object_pointers", false);
    keys.require("mask_downsampler_kernel_size", 3);
    keys.require("mask_downsampler_padding", 1);
    keys.require("mask_downsampler_stride", 2);
    keys.require("mask_downsampler_total_stride", 16);
    keys.require("mask_downsampler_hidden_act", "gelu", "gelu");
    keys.require("max_cond_frame_num", -1);
    keys.require("max_object_pointers_in_encoder", 16);
    keys.require("memory_attention_downsample_rate", 1);
    keys.require("memory_attention_feed_forward_hidden_act", "relu", "relu");
    keys.require("memory_attention_num_attention_heads", 1);
    keys.integer("memory_attention_num_layers", 0); // these show from the tensors
    keys.integer("memory_encoder_output_channels", 0);
    keys.integer("num_maskmem", 0);
    keys.integer("memory_fuser_num_layers", 0);
    keys.require("memory_fuser_hidden_act", "gelu", "gelu");
    keys.require("memory_fuser_kernel_size", 7);
    keys.require("memory_fuser_padding", 3);
    keys.require("multimask_min_pt_num", 0);
    keys.require("multimask_max_pt_num", 1);
    keys.requireFlag("multimask_output_for_tracking", true);
    keys.requireFlag("multimask_output_in_sam", true);
    keys.require("sigmoid_scale_for_mem_enc", 20);
    keys.require("sigmoid_bias_for_mem_enc", -10);
    var rope = keys.section("rope_parameters");
    rope.require("rope_theta", 10000);
    rope.require("rope_type", "axial", "axial");
    keys.require("memory_attention_rope_theta", 10000);
  }

  private void agree(JsonKeys part, String name, int shown) {
    int said = part.integer(name, shown);
    if (said != shown) {
      throw disagree(part, name, "" + said, "" + shown);
    }
  }

  private void agreeAll(JsonKeys part, String name, List<Integer> shown) {
    if (!part.isAbsent(name) && !part.counts(name).equals(shown)) {
      throw disagree(part, name, part.counts(name).toString(), shown.toString());
    }
  }

  private static void requireAll(JsonKeys part, String name, int needed) {
    if (!part.isAbsent(name) && part.counts(name, 2).stream().anyMatch(v -> v != needed)) {
      throw new CheckpointException(
          "%s: \"%s\" is %s; Gatun runs only %d"
              .formatted(part.where(), name, part.counts(name, 2), needed));
    }
  }

  private CheckpointException disagree(JsonKeys part, String name, String said, String shown) {
    return new CheckpointException(
        "%s: \"%s\" is %s, but the tensors of %s say %s: they are not of one model"
            .formatted(part.where(), name, said, checkpoint.path(), shown));
  }
}
