package io.gatun.tools;

import io.gatun.ffm.files.UserCache;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Checkpoints with the shapes of the published Segment Anything models and random F32 weights, for
/// measuring speed.
record SyntheticSam(
    String name, int embedDim, int depth, int numHeads, List<Integer> globalAttnIndexes) {
  static final Map<String, SyntheticSam> SHAPES = new LinkedHashMap<>();

  private static final int GRID = 64;
  private static final int PATCH = 16;
  private static final int WINDOW = 14;
  private static final int CHANNELS = 256;
  private static final int MASK_CHANNELS = 16;
  private static final int MLP = 2048;
  private static final int MASKS = 4;

  static {
    add(new SyntheticSam("vit_b", 768, 12, 12, List.of(2, 5, 8, 11)));
    add(new SyntheticSam("vit_l", 1024, 24, 16, List.of(5, 11, 17, 23)));
    add(new SyntheticSam("vit_h", 1280, 32, 16, List.of(7, 15, 23, 31)));
  }

  private static void add(SyntheticSam shape) {
    SHAPES.put(shape.name, shape);
  }

  /// The checkpoint in the cache, written if it is not there yet.
  Path checkpoint() {
    Path file;
    try {
      file = UserCache.openLasting("synthetic").resolve("sam-" + name + ".safetensors");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    if (!Files.exists(file)) {
      var target = new Target(new SafetensorsWriter());
      imageEncoder(target);
      promptEncoder(target);
      maskDecoder(target);
      target.writer.write(file);
    }
    return file;
  }

  private record Target(SafetensorsWriter writer) {
    void add(String name, long... dims) {
      writer.add(name, DType.Plain.F32, Shape.of(dims), RandomWeights.data(DType.Plain.F32, dims));
    }

    void linear(String name, long out, long in) {
      add(name + ".weight", out, in);
      add(name + ".bias", out);
    }

    /// A convolution, or, with inputs and outputs exchanged, a transposed one.
    void conv(String name, long first, long second, long kernel, long bias) {
      add(name + ".weight", first, second, kernel, kernel);
      add(name + ".bias", bias);
    }

    void norm(String name, long size) {
      add(name + ".weight", size);
      add(name + ".bias", size);
    }
  }

  private void imageEncoder(Target t) {
    String p = "image_encoder.";
    t.add(p + "pos_embed", 1, GRID, GRID, embedDim);
    t.conv(p + "patch_embed.proj", embedDim, 3, PATCH, embedDim);
    for (int i = 0; i < depth; i++) {
      String block = p + "blocks." + i + ".";
      long positions = 2L * (globalAttnIndexes.contains(i) ? GRID : WINDOW) - 1;
      t.norm(block + "norm1", embedDim);
      t.add(block + "attn.rel_pos_h", positions, embedDim / numHeads);
      t.add(block + "attn.rel_pos_w", positions, embedDim / numHeads);
      t.linear(block + "attn.qkv", 3L * embedDim, embedDim);
      t.linear(block + "attn.proj", embedDim, embedDim);
      t.norm(block + "norm2", embedDim);
      t.linear(block + "mlp.lin1", 4L * embedDim, embedDim);
      t.linear(block + "mlp.lin2", embedDim, 4L * embedDim);
    }
    t.add(p + "neck.0.weight", CHANNELS, embedDim, 1, 1);
    t.norm(p + "neck.1", CHANNELS);
    t.add(p + "neck.2.weight", CHANNELS, CHANNELS, 3, 3);
    t.norm(p + "neck.3", CHANNELS);
  }

  private static void promptEncoder(Target t) {
    String p = "prompt_encoder.";
    t.add(p + "pe_layer.positional_encoding_gaussian_matrix", 2, CHANNELS / 2);
    for (int i = 0; i < 4; i++) {
      t.add(p + "point_embeddings." + i + ".weight", 1, CHANNELS);
    }
    t.add(p + "not_a_point_embed.weight", 1, CHANNELS);
    t.add(p + "no_mask_embed.weight", 1, CHANNELS);
    t.conv(p + "mask_downscaling.0", MASK_CHANNELS / 4, 1, 2, MASK_CHANNELS / 4);
    t.norm(p + "mask_downscaling.1", MASK_CHANNELS / 4);
    t.conv(p + "mask_downscaling.3", MASK_CHANNELS, MASK_CHANNELS / 4, 2, MASK_CHANNELS);
    t.norm(p + "mask_downscaling.4", MASK_CHANNELS);
    t.conv(p + "mask_downscaling.6", CHANNELS, MASK_CHANNELS, 1, CHANNELS);
  }

  private static void maskDecoder(Target t) {
    String p = "mask_decoder.";
    t.add(p + "iou_token.weight", 1, CHANNELS);
    t.add(p + "mask_tokens.weight", MASKS, CHANNELS);
    for (int i = 0; i < 2; i++) {
      String layer = p + "transformer.layers." + i + ".";
      attention(t, layer + "self_attn", CHANNELS);
      attention(t, layer + "cross_attn_token_to_image", CHANNELS / 2);
      attention(t, layer + "cross_attn_image_to_token", CHANNELS / 2);
      t.linear(layer + "mlp.lin1", MLP, CHANNELS);
      t.linear(layer + "mlp.lin2", CHANNELS, MLP);
      for (int n = 1; n <= 4; n++) {
        t.norm(layer + "norm" + n, CHANNELS);
      }
    }
    attention(t, p + "transformer.final_attn_token_to_image", CHANNELS / 2);
    t.norm(p + "transformer.norm_final_attn", CHANNELS);
    t.conv(p + "output_upscaling.0", CHANNELS, CHANNELS / 4, 2, CHANNELS / 4);
    t.norm(p + "output_upscaling.1", CHANNELS / 4);
    t.conv(p + "output_upscaling.3", CHANNELS / 4, CHANNELS / 8, 2, CHANNELS / 8);
    for (int i = 0; i < MASKS; i++) {
      mlp(t, p + "output_hypernetworks_mlps." + i, CHANNELS / 8);
    }
    mlp(t, p + "iou_prediction_head", MASKS);
  }

  private static void attention(Target t, String name, long internal) {
    t.linear(name + ".q_proj", internal, CHANNELS);
    t.linear(name + ".k_proj", internal, CHANNELS);
    t.linear(name + ".v_proj", internal, CHANNELS);
    t.linear(name + ".out_proj", CHANNELS, internal);
  }

  private static void mlp(Target t, String name, long out) {
    t.linear(name + ".layers.0", CHANNELS, CHANNELS);
    t.linear(name + ".layers.1", CHANNELS, CHANNELS);
    t.linear(name + ".layers.2", out, CHANNELS);
  }
}
