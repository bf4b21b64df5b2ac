package io.gatun.tests.models;

import io.gatun.loaders.SafetensorsWriter;
import io.gatun.models.nn.JsonKeys;
import io.gatun.tensor.Tensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/// The names that a UNet's or ControlNet's modules have in its makers' files, counted as the
/// constructors of latent diffusion's openaimodel.py and of ControlNet's cldm.py make them.
final class UNetOriginalNames {
  private static final String[][] RESNET = {
    {"norm1", "in_layers.0"},
    {"conv1", "in_layers.2"},
    {"time_emb_proj", "emb_layers.1"},
    {"norm2", "out_layers.0"},
    {"conv2", "out_layers.3"},
    {"conv_shortcut", "skip_connection"}
  };

  private final Map<String, String> modules = new LinkedHashMap<>();

  private UNetOriginalNames(JsonKeys config) {
    modules.put("time_embedding.linear_1", "time_embed.0");
    modules.put("time_embedding.linear_2", "time_embed.2");
    modules.put("time_embedding.cond_proj", "time_embed.cond_proj");
    modules.put("add_embedding.linear_1", "label_emb.0.0");
    modules.put("add_embedding.linear_2", "label_emb.0.2");
    modules.put("conv_norm_out", "out.0");
    modules.put("conv_out", "out.2");
    modules.put("conv_in", "input_blocks.0.0");
    resnet("mid_block.resnets.0", "middle_block.0");
    modules.put("mid_block.attentions.0", "middle_block.1");
    resnet("mid_block.resnets.1", "middle_block.2");
    int blocks = config.texts("down_block_types").size();
    int layers = config.count("layers_per_block");
    int n = 0;
    for (int block = 0; block < blocks; block++) {
      for (int layer = 0; layer < layers; layer++) {
        n++;
        resnet("down_blocks.%d.resnets.%d".formatted(block, layer), "input_blocks." + n + ".0");
        modules.put(
            "down_blocks.%d.attentions.%d".formatted(block, layer), "input_blocks." + n + ".1");
      }
      if (block < blocks - 1) {
        n++;
        modules.put(
            "down_blocks.%d.downsamplers.0.conv".formatted(block), "input_blocks." + n + ".0.op");
      }
    }
    for (int zero = 0; zero <= n; zero++) {
      modules.put("controlnet_down_blocks." + zero, "zero_convs.%d.0".formatted(zero));
    }
    modules.put("controlnet_mid_block", "middle_block_out.0");
    if (config.json().has("up_block_types")) {
      up(config, blocks, layers);
    }
    if (config.json().has("conditioning_embedding_out_channels")) {
      seeing(config.counts("conditioning_embedding_out_channels").size());
    }
  }

  private void up(JsonKeys config, int blocks, int layers) {
    int n = 0;
    for (int block = 0; block < blocks; block++) {
      boolean attends = config.texts("up_block_types").get(block).startsWith("CrossAttn");
      for (int layer = 0; layer <= layers; layer++) {
        String at = "output_blocks." + n++;
        resnet("up_blocks.%d.resnets.%d".formatted(block, layer), at + ".0");
        modules.put("up_blocks.%d.attentions.%d".formatted(block, layer), at + ".1");
        if (layer == layers && block < blocks - 1) {
          modules.put(
              "up_blocks.%d.upsamplers.0.conv".formatted(block),
              at + (attends ? ".2" : ".1") + ".conv");
        }
      }
    }
  }

  /// Convolutions with an activation between two: one to begin with, two for each width but the
  /// last, and one to end with.
  private void seeing(int widths) {
    int n = 0;
    modules.put("controlnet_cond_embedding.conv_in", "input_hint_block.0");
    for (int i = 0; i < 2 * (widths - 1); i++) {
      n += 2;
      modules.put("controlnet_cond_embedding.blocks." + i, "input_hint_block." + n);
    }
    modules.put("controlnet_cond_embedding.conv_out", "input_hint_block." + (n + 2));
  }

  private void resnet(String name, String original) {
    for (String[] inner : RESNET) {
      modules.put(name + "." + inner[0], original + "." + inner[1]);
    }
  }

  private String original(String name) {
    for (var module : modules.entrySet()) {
      if (name.startsWith(module.getKey() + ".")) {
        return module.getValue() + name.substring(module.getKey().length());
      }
    }
    throw new IllegalArgumentException(name);
  }

  /// Tensors by their original names behind a prefix.
  ///
  /// @param config config.json as diffusers saves it
  static <T> Map<String, T> of(Map<String, T> tensors, Path config, String prefix) {
    var names = new UNetOriginalNames(JsonKeys.read(config));
    var out = new LinkedHashMap<String, T>();
    tensors.forEach((name, tensor) -> out.put(prefix + names.original(name), tensor));
    return out;
  }

  static void write(Map<String, Tensor> tensors, Path file) {
    var writer = new SafetensorsWriter();
    tensors.forEach(writer::add);
    writer.write(file);
  }
}
