package io.gatun.models.diffusion.files;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.WeightNames;

/// What the tensors of a UNet, or of a copy of its first half, show of its configuration.
///
/// @param names where the file has what diffusers calls otherwise
record UNetTensors(Checkpoint file, WeightNames names) {
  private static final String NORM = "attentions.%d.norm.weight";
  private static final String MIDDLE = "mid_block.";

  boolean has(String name) {
    return file.tensors().containsKey(names.stored(name).name());
  }

  long dim(String name, int dim) {
    String stored = names.stored(name).name();
    var shape = file.tensor(stored).shape();
    if (shape.rank() <= dim) {
      throw new CheckpointException(
          "%s: \"%s\" is %s; need more dimensions".formatted(file.path(), stored, shape));
    }
    return shape.dim(dim);
  }

  /// Puts the way down: which blocks attend to the text and how often, and whether their
  /// transformers begin with a matrix or a convolution; and the middle, whose depth goes by the
  /// last block's.
  void putDown(ObjectNode config, int blocks, int layers) {
    var types = config.putArray("down_block_types");
    var depths = config.putArray("transformer_layers_per_block");
    for (int block = 0; block < blocks; block++) {
      String at = "down_blocks.%d.".formatted(block);
      boolean attends = has(at + NORM.formatted(0));
      types.add(attends ? "CrossAttnDownBlock2D" : "DownBlock2D");
      putDepths(depths.addArray(), attends || block < blocks - 1 ? at : MIDDLE, layers);
      putProjection(config, at);
    }
    putProjection(config, MIDDLE);
    if (has(MIDDLE + NORM.formatted(0))) {
      config.put("mid_block_type", "UNetMidBlock2DCrossAttn");
    } else if (has(MIDDLE + "resnets.0.norm1.weight")) {
      config.put("mid_block_type", "UNetMidBlock2D");
    } else {
      config.putNull("mid_block_type");
    }
  }

  /// Puts the way up.
  void putUp(ObjectNode config, int blocks, int layers) {
    var types = config.putArray("up_block_types");
    var depths = config.putArray("reverse_transformer_layers_per_block");
    for (int block = 0; block < blocks; block++) {
      String at = "up_blocks.%d.".formatted(block);
      types.add(has(at + NORM.formatted(0)) ? "CrossAttnUpBlock2D" : "UpBlock2D");
      putDepths(depths.addArray(), at, layers + 1);
    }
  }

  private void putDepths(ArrayNode to, String block, int layers) {
    for (int layer = 0; layer < layers; layer++) {
      String next = block + "attentions." + layer + ".transformer_blocks.%d.norm1.weight";
      int depth = 0;
      while (has(next.formatted(depth))) {
        depth++;
      }
      if (!block.equals(MIDDLE) || layer == 0) {
        to.add(depth);
      }
    }
  }

  private void putProjection(ObjectNode config, String block) {
    String in = block + "attentions.0.proj_in.weight";
    if (has(in)) {
      var shape = file.tensor(names.stored(in).name()).shape();
      config.put("use_linear_projection", shape.rank() == 2);
    }
  }

  /// The numbers of a text that the first attention reads; 0 without one.
  long textWidth(int blocks) {
    String keys = "attentions.0.transformer_blocks.0.attn2.to_k.weight";
    for (int block = 0; block < blocks; block++) {
      if (has("down_blocks.%d.".formatted(block) + keys)) {
        return dim("down_blocks.%d.".formatted(block) + keys, 1);
      }
    }
    return has(MIDDLE + keys) ? dim(MIDDLE + keys, 1) : 0;
  }
}
