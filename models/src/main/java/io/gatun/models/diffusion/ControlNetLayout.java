package io.gatun.models.diffusion;

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
  private static final String FIRST_KEYS = "attentions.%d.transformer_blocks.0.attn2.to_k.weight";

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
            new Tensors(file, names, unet).config(),
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
        new Tensors(file, WeightNames.SAME, unet).config(), WeightNames.SAME, NOTHING);
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

  /// The tensors of a file by diffusers' names.
  private record Tensors(Checkpoint file, WeightNames names, JsonKeys unet) {
    private boolean has(String name) {
      return file.tensors().containsKey(names.stored(name).name());
    }

    private long dim(String name, int dim) {
      var shape = file.tensor(names.stored(name).name()).shape();
      if (shape.rank() <= dim) {
        throw new CheckpointException(
            "%s: \"%s\" is %s; it has too few dimensions for a ControlNet's"
                .formatted(file.path(), names.stored(name).name(), shape));
      }
      return shape.dim(dim);
    }

    private JsonKeys config() {
      var config = new ObjectMapper().createObjectNode();
      config.put("_class_name", "ControlNetModel").put("in_channels", dim("conv_in.weight", 1));
      SHARED.stream()
          .filter(key -> !unet.isAbsent(key))
          .forEach(key -> config.set(key, unet.json().path(key)));
      putBlocks(config);
      putSeeing(config);
      if (has("add_embedding.linear_1.weight")) {
        config
            .put("addition_embed_type", "text_time")
            .put("projection_class_embeddings_input_dim", dim("add_embedding.linear_1.weight", 1));
      }
      return new JsonKeys(config, file.path().toString());
    }

    /// Which blocks attend to the text, and how often.
    private void putBlocks(ObjectNode config) {
      int blocks = unet.texts("down_block_types").size();
      int layers = layers(file, unet);
      var types = config.putArray("down_block_types");
      var depths = config.putArray("transformer_layers_per_block");
      String middle = "mid_block.";
      int width = 0;
      for (int block = 0; block < blocks; block++) {
        String at = "down_blocks.%d.".formatted(block);
        boolean attends = has(at + "attentions.0.norm.weight");
        types.add(attends ? "CrossAttnDownBlock2D" : "DownBlock2D");
        if (attends || block < blocks - 1) {
          var each = depths.addArray();
          for (int layer = 0; layer < layers; layer++) {
            each.add(depth(at, layer));
          }
        } else {
          depths.addArray().add(depth(middle, 0));
        }
        width = width == 0 ? textWidth(at) : width;
      }
      width = width == 0 ? textWidth(middle) : width;
      int own = unet.counts("cross_attention_dim", blocks).getFirst();
      if (width != 0 && width != own) {
        throw new CheckpointException(
            "%s is a ControlNet for texts of %d numbers; this model's have %d: it was made for another kind (768: Stable Diffusion 1, 1024: 2, 2048: XL)"
                .formatted(file.path(), width, own));
      }
      config.put("cross_attention_dim", own);
      if (has(middle + "attentions.0.norm.weight")) {
        config.put("mid_block_type", "UNetMidBlock2DCrossAttn");
      } else if (has(middle + "resnets.0.norm1.weight")) {
        config.put("mid_block_type", "UNetMidBlock2D");
      } else {
        config.putNull("mid_block_type");
      }
      for (String at : List.of("down_blocks.0.", "down_blocks.1.", middle)) {
        String in = at + "attentions.0.proj_in.weight";
        if (has(in)) {
          config.put(
              "use_linear_projection", file.tensor(names.stored(in).name()).shape().rank() == 2);
        }
      }
    }

    private int textWidth(String block) {
      String keys = block + FIRST_KEYS.formatted(0);
      return has(keys) ? Math.toIntExact(dim(keys, 1)) : 0;
    }

    private int depth(String block, int layer) {
      int depth = 0;
      while (has(
          "%sattentions.%d.transformer_blocks.%d.norm1.weight".formatted(block, layer, depth))) {
        depth++;
      }
      return depth;
    }

    /// The channels of the convolutions that see the picture.
    private void putSeeing(ObjectNode config) {
      var channels = config.putArray("conditioning_embedding_out_channels");
      channels.add(dim("controlnet_cond_embedding.conv_in.weight", 0));
      int block = 1;
      while (has("controlnet_cond_embedding.blocks.%d.weight".formatted(block))) {
        channels.add(dim("controlnet_cond_embedding.blocks.%d.weight".formatted(block), 0));
        block += 2;
      }
    }
  }
}
