package io.gatun.models.unet;

import com.fasterxml.jackson.databind.JsonNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.UnknownKeys;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/// The hyper-parameters of the UNet; components are named as in config.json. Lists have one entry
/// for each down block, from the top.
///
/// @param sampleSize rows and columns of the latents that it was trained on; 0 if not known
/// @param midBlockType null for none
/// @param upBlockTypes empty for a ControlNet, which has no way up
/// @param numAttentionHeads heads of each block, which most files call attention_head_dim
/// @param transformerLayersPerBlock for each block, the layers of each of its transformers
/// @param reverseTransformerLayersPerBlock the same for the up blocks, from the bottom
/// @param additionTimeEmbedDim size of the embedding of each of SDXL's six sizes; 0 for a UNet
///   without "text_time" conditions
/// @param numClassEmbeds labels of classes, such as levels of noise; 0 for none
/// @param timeCondProjDim size of the embedded guidance scale of distilled models; 0 for none
public record UNet2DConditionConfig(
    int sampleSize,
    int inChannels,
    int outChannels,
    boolean flipSinToCos,
    double freqShift,
    List<String> downBlockTypes,
    String midBlockType,
    List<String> upBlockTypes,
    List<Integer> blockOutChannels,
    List<Integer> layersPerBlock,
    int downsamplePadding,
    int normNumGroups,
    float normEps,
    List<Integer> crossAttentionDim,
    List<List<Integer>> transformerLayersPerBlock,
    List<List<Integer>> reverseTransformerLayersPerBlock,
    List<Integer> numAttentionHeads,
    boolean useLinearProjection,
    int timeEmbeddingDim,
    int timeCondProjDim,
    int additionTimeEmbedDim,
    int projectionClassEmbeddingsInputDim,
    int numClassEmbeds,
    int convInKernel,
    int convOutKernel) {
  static final String CROSS_ATTN_MID = "UNetMidBlock2DCrossAttn";

  private static final Set<String> DOWN = Set.of("DownBlock2D", "CrossAttnDownBlock2D");
  private static final Set<String> MID = Set.of("UNetMidBlock2D", CROSS_ATTN_MID);
  private static final Set<String> UP = Set.of("UpBlock2D", "CrossAttnUpBlock2D");

  /// Read only where other keys ask for them, or true of Gatun's arithmetic anyway.
  private static final Pattern HARMLESS =
      Pattern.compile(
          "upcast_attention|attention_head_dim|addition_embed_type_num_heads|addition_time_embed_dim"
              + "|projection_class_embeddings_input_dim");

  /// What changes the network in ways that Gatun does not do. upcast_attention is not among them:
  /// scores and their softmax are F32 whatever the activations are.
  private static final List<String> REFUSED =
      List.of(
          "center_input_sample",
          "dual_cross_attention",
          "only_cross_attention",
          "mid_block_only_cross_attention",
          "class_embed_type",
          "class_embeddings_concat",
          "cross_attention_norm",
          "encoder_hid_dim",
          "encoder_hid_dim_type",
          "resnet_skip_time_act",
          "time_embedding_act_fn",
          "timestep_post_act");

  /// Reads a UNet's config.json.
  ///
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  public static UNet2DConditionConfig of(JsonKeys keys) {
    keys.require("_class_name", "UNet2DConditionModel", "UNet2DConditionModel");
    return of(keys, keys.texts("up_block_types"), keys.count("out_channels"));
  }

  /// Reads the configuration of a copy of a UNet's way down and middle.
  static UNet2DConditionConfig ofFirstHalf(JsonKeys keys) {
    return of(keys, List.of(), keys.count("in_channels"));
  }

  private static UNet2DConditionConfig of(JsonKeys keys, List<String> up, int outChannels) {
    keys.require("act_fn", "silu", "silu");
    keys.require("time_embedding_type", "positional", "positional");
    keys.require("resnet_time_scale_shift", "default", "default");
    keys.require("attention_type", "default", "default");
    keys.require("resnet_out_scale_factor", 1);
    keys.require("mid_block_scale_factor", 1);
    REFUSED.forEach(keys::refuse);
    boolean textTime = !keys.isAbsent("addition_embed_type");
    if (textTime) {
      keys.require("addition_embed_type", "text_time", "text_time");
    }
    var down = keys.texts("down_block_types");
    int blocks = down.size();
    int width = keys.counts("block_out_channels", blocks).getFirst();
    String heads =
        keys.isAbsent("num_attention_heads") ? "attention_head_dim" : "num_attention_heads";
    var layers =
        transformerLayers(
            keys, "transformer_layers_per_block", blocks, Collections.nCopies(blocks, List.of(1)));
    var config =
        new UNet2DConditionConfig(
            keys.integer("sample_size", 0),
            keys.count("in_channels"),
            outChannels,
            keys.flag("flip_sin_to_cos", true),
            keys.number("freq_shift", 0),
            down,
            keys.json().has("mid_block_type") && keys.isAbsent("mid_block_type")
                ? null
                : keys.text("mid_block_type", CROSS_ATTN_MID),
            up,
            keys.counts("block_out_channels", blocks),
            keys.counts("layers_per_block", blocks),
            keys.integer("downsample_padding", 1),
            keys.count("norm_num_groups"),
            (float) keys.number("norm_eps", 1e-5),
            keys.counts("cross_attention_dim", blocks),
            layers,
            transformerLayers(
                keys, "reverse_transformer_layers_per_block", blocks, layers.reversed()),
            keys.counts(heads, blocks),
            keys.flag("use_linear_projection", false),
            keys.integer("time_embedding_dim", 4 * width),
            keys.integer("time_cond_proj_dim", 0),
            textTime ? keys.count("addition_time_embed_dim") : 0,
            textTime ? keys.count("projection_class_embeddings_input_dim") : 0,
            keys.integer("num_class_embeds", 0),
            keys.integer("conv_in_kernel", 3),
            keys.integer("conv_out_kernel", 3));
    keys.requireAllRead(HARMLESS);
    return config;
  }

  /// A number for all blocks, or for each a number or one for each of its transformers.
  private static List<List<Integer>> transformerLayers(
      JsonKeys keys, String key, int blocks, List<List<Integer>> absent) {
    if (keys.isAbsent(key)) {
      return absent;
    }
    var all = new ArrayList<List<Integer>>();
    for (int i = 0; i < blocks; i++) {
      JsonNode json = keys.json().path(key);
      if (json.isArray()) {
        json = json.path(i);
      }
      var layers = new ArrayList<Integer>();
      for (JsonNode n : json.isArray() ? json : List.of(json)) {
        if (!n.isInt() || n.intValue() < 0) {
          throw new CheckpointException(
              "%s: \"%s\" is %s; need whole numbers of layers for %d blocks"
                  .formatted(keys.where(), key, UnknownKeys.shown(keys.json().path(key)), blocks));
        }
        layers.add(n.intValue());
      }
      all.add(layers);
    }
    return all;
  }

  public UNet2DConditionConfig {
    check("down_block_types", downBlockTypes, DOWN);
    check("up_block_types", upBlockTypes, UP);
    if (midBlockType != null) {
      check("mid_block_type", List.of(midBlockType), MID);
    }
    if (!upBlockTypes.isEmpty() && upBlockTypes.size() != downBlockTypes.size()) {
      throw new CheckpointException(
          "up_block_types has %d blocks, down_block_types %d; need as many"
              .formatted(upBlockTypes.size(), downBlockTypes.size()));
    }
    for (int i = 0; i < blockOutChannels.size(); i++) {
      int channels = blockOutChannels.get(i);
      if (channels % numAttentionHeads.get(i) != 0 || channels % normNumGroups != 0) {
        throw new CheckpointException(
            "block_out_channels %d is not a multiple of attention_head_dim %d, which is a number of heads, and of norm_num_groups %d"
                .formatted(channels, numAttentionHeads.get(i), normNumGroups));
      }
    }
    if (downsamplePadding < 0 || downsamplePadding > 1) {
      throw new CheckpointException(
          "downsample_padding is " + downsamplePadding + "; Gatun runs 0 and 1");
    }
    if (convInKernel % 2 == 0 || convOutKernel % 2 == 0 || convInKernel < 1 || convOutKernel < 1) {
      throw new CheckpointException(
          "conv_in_kernel %d, conv_out_kernel %d: need odd sizes"
              .formatted(convInKernel, convOutKernel));
    }
    if (blockOutChannels.getFirst() % 2 != 0 || additionTimeEmbedDim % 2 != 0) {
      throw new CheckpointException(
          "block_out_channels %d and addition_time_embed_dim %d: need even sizes of embeddings"
              .formatted(blockOutChannels.getFirst(), additionTimeEmbedDim));
    }
  }

  private static void check(String key, List<String> found, Set<String> known) {
    for (String type : found) {
      if (!known.contains(type)) {
        throw new CheckpointException(
            "%s has \"%s\"; Gatun runs %s"
                .formatted(key, type, String.join(", ", known.stream().sorted().toList())));
      }
    }
  }

  /// Whether SDXL's added conditions are needed: the text's embedding and six sizes.
  public boolean hasTextTime() {
    return additionTimeEmbedDim > 0;
  }

  /// What latents' rows and columns should be multiples of; others are scaled to fit on the way up.
  public int multiple() {
    return 1 << (blockOutChannels.size() - 1);
  }

  /// What shapes the tensors, for messages.
  String reason() {
    return "block_out_channels=%s, layers_per_block=%s, cross_attention_dim=%s, in_channels=%d, out_channels=%d, use_linear_projection=%s in config.json"
        .formatted(
            blockOutChannels,
            layersPerBlock,
            crossAttentionDim,
            inChannels,
            outChannels,
            useLinearProjection);
  }
}
