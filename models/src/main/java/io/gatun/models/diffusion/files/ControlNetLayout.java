package io.gatun.models.diffusion.files;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.WeightNames;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/// A ControlNet in a file without a configuration, with the names of diffusers or of its makers
/// (lllyasviel/ControlNet), perhaps beside a whole Stable Diffusion.
///
/// Depths and widths show from the tensors. What does not, such as the heads, is as in the UNet
/// that it steers, of which it is a copy.
///
/// @param config as diffusers would save it
/// @param names where the file has the tensors
/// @param others what the file may hold beside them
public record ControlNetLayout(JsonKeys config, WeightNames names, Pattern others) {
  private static final String PREFIX = "control_model.";
  private static final String ORIGINAL = "input_hint_block.0.weight";
  private static final String DIFFUSERS = "controlnet_cond_embedding.conv_in.weight";

  /// What steers a UNet in other ways, by a part of its tensors' names.
  private static final Map<String, String> OTHERS = new LinkedHashMap<>();

  static {
    OTHERS.put("lora_controlnet", "a Control-LoRA");
    OTHERS.put("lllite_", "a ControlNet-LLLite");
    OTHERS.put("task_embedding", "a ControlNet for several kinds of pictures (union)");
    OTHERS.put("controlnet_blocks.", "a ControlNet for a transformer");
    OTHERS.put("controlnet_x_embedder", "a ControlNet for a transformer");
    OTHERS.put("body.0.", "a T2I-Adapter");
  }

  /// What a ControlNet's configuration has from its UNet's.
  private static final List<String> SHARED =
      List.of(
          "attention_head_dim",
          "num_attention_heads",
          "block_out_channels",
          "layers_per_block",
          "norm_num_groups",
          "norm_eps",
          "downsample_padding",
          "flip_sin_to_cos",
          "freq_shift",
          "addition_time_embed_dim",
          "time_embedding_dim");

  private static final Pattern NOTHING = Pattern.compile("(?!)");

  /// What a whole pipeline's file has beside what it was trained for.
  private static final Pattern NO_CONTROL_MODEL = Pattern.compile("(?!control_model\\.)");

  /// Whether a file has the names of diffusers.
  public static boolean isByDiffusers(Checkpoint file) {
    return file.tensors().containsKey(DIFFUSERS);
  }

  /// The layout of a file.
  ///
  /// @param unet the configuration of the UNet that it is to steer
  /// @throws CheckpointException if it holds no ControlNet, or one for another kind of UNet
  public static ControlNetLayout of(Checkpoint file, JsonKeys unet) {
    var stored = file.tensors().keySet();
    requireSupported(file, stored);
    int layers = layers(file, unet);
    for (String prefix : List.of(PREFIX, "")) {
      if (stored.contains(prefix + ORIGINAL)) {
        int seeing = 0;
        while (stored.contains("%sinput_hint_block.%d.weight".formatted(prefix, 2 * seeing))) {
          seeing++;
        }
        var names = LdmNames.controlNet(layers, seeing, prefix);
        return new ControlNetLayout(
            config(new UNetTensors(file, names), unet),
            names,
            prefix.isEmpty() ? NOTHING : NO_CONTROL_MODEL);
      }
    }
    if (!isByDiffusers(file)) {
      throw new CheckpointException(
          "%s is no ControlNet: need the tensor \"%s\" or \"%s\". List the file with: gatun inspect %s"
              .formatted(file.path(), DIFFUSERS, PREFIX + ORIGINAL, file.path()));
    }
    return new ControlNetLayout(
        config(new UNetTensors(file, WeightNames.SAME), unet), WeightNames.SAME, NOTHING);
  }

  private static void requireSupported(Checkpoint file, Set<String> stored) {
    for (var other : OTHERS.entrySet()) {
      if (stored.stream().anyMatch(name -> name.contains(other.getKey()))) {
        throw new CheckpointException(
            "%s is %s, which Gatun does not run; need a ControlNet for Stable Diffusion 1, 2 or XL"
                .formatted(file.path(), other.getValue()));
      }
    }
    if (stored.contains("difference")) {
      throw new CheckpointException(
          "%s holds the difference of a ControlNet to one Stable Diffusion, which other programs add to whatever runs; need the ControlNet itself"
              .formatted(file.path()));
    }
  }

  /// The residual blocks of each level, by which the makers number all layers.
  private static int layers(Checkpoint file, JsonKeys unet) {
    var layers = unet.counts("layers_per_block", unet.texts("down_block_types").size());
    if (Set.copyOf(layers).size() > 1) {
      throw new CheckpointException(
          "%s has no configuration beside it, and the model's UNet has %s layers in its blocks; need a directory as diffusers saves it"
              .formatted(file.path(), layers));
    }
    return layers.getFirst();
  }

  private static JsonKeys config(UNetTensors tensors, JsonKeys unet) {
    var config = new ObjectMapper().createObjectNode();
    config
        .put("_class_name", "ControlNetModel")
        .put("in_channels", tensors.dim("conv_in.weight", 1));
    SHARED.stream()
        .filter(key -> !unet.isAbsent(key))
        .forEach(key -> config.set(key, unet.json().path(key)));
    int blocks = unet.texts("down_block_types").size();
    tensors.putDown(config, blocks, layers(tensors.file(), unet));
    requireWidth(tensors, blocks, unet.counts("cross_attention_dim", blocks).getFirst());
    config.set("cross_attention_dim", unet.json().path("cross_attention_dim"));
    putSeeing(tensors, config);
    if (tensors.has("add_embedding.linear_1.weight")) {
      config
          .put("addition_embed_type", "text_time")
          .put(
              "projection_class_embeddings_input_dim",
              tensors.dim("add_embedding.linear_1.weight", 1));
    }
    return new JsonKeys(config, tensors.file().path().toString());
  }

  private static void requireWidth(UNetTensors tensors, int blocks, int needed) {
    long width = tensors.textWidth(blocks);
    if (width != 0 && width != needed) {
      throw new CheckpointException(
          "%s is a ControlNet for texts of %d numbers; this model's have %d: it was made for another kind (768: Stable Diffusion 1, 1024: 2, 2048: XL)"
              .formatted(tensors.file().path(), width, needed));
    }
  }

  /// The channels of the convolutions that see the picture.
  private static void putSeeing(UNetTensors tensors, ObjectNode config) {
    var channels = config.putArray("conditioning_embedding_out_channels");
    channels.add(tensors.dim("controlnet_cond_embedding.conv_in.weight", 0));
    String next = "controlnet_cond_embedding.blocks.%d.weight";
    for (int block = 1; tensors.has(next.formatted(block)); block += 2) {
      channels.add(tensors.dim(next.formatted(block), 0));
    }
  }
}
