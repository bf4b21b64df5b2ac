package io.gatun.tools.bench.synthetic;

import io.gatun.ffm.files.UserCache;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Checkpoints with the shapes of the published Segment Anything models and random F32 weights, for
/// measuring speed.
public record SyntheticSam(String name, Encoder encoder) {
  private static final Map<String, SyntheticSam> SHAPES = new LinkedHashMap<>();

  private static final int GRID = 64;
  private static final int PATCH = 16;
  private static final int WINDOW = 14;
  private static final int CHANNELS = 256;
  private static final int MASK_CHANNELS = 16;
  private static final int MLP = 2048;
  private static final int MASKS = 4;

  static {
    add("vit_b", new Vit(768, 12, 12, List.of(2, 5, 8, 11)));
    add("vit_l", new Vit(1024, 24, 16, List.of(5, 11, 17, 23)));
    add("vit_h", new Vit(1280, 32, 16, List.of(7, 15, 23, 31)));
    add("sam2.1_hiera_tiny", new Hiera(96, List.of(1, 2, 7, 2), 7));
  }

  /// By the names of the command line.
  public static Map<String, SyntheticSam> shapes() {
    return Collections.unmodifiableMap(SHAPES);
  }

  private static void add(String name, Encoder encoder) {
    SHAPES.put(name, new SyntheticSam(name, encoder));
  }

  private interface Encoder {
    void write(Target t);

    /// Whether prompt encoder and mask decoder are SAM 2's.
    boolean isSam2();
  }

  private record Vit(int embedDim, int depth, int numHeads, List<Integer> globalAttnIndexes)
      implements Encoder {
    @Override
    public boolean isSam2() {
      return false;
    }

    @Override
    public void write(Target t) {
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
  }

  /// In Meta's layout.
  ///
  /// @param background the side of the coarse table of positions
  private record Hiera(int embedDim, List<Integer> stages, int background) implements Encoder {
    private static final int PATCH_KERNEL = 7;
    private static final int WINDOW = 8;

    @Override
    public boolean isSam2() {
      return true;
    }

    @Override
    public void write(Target t) {
      String p = "image_encoder.trunk.";
      t.add(p + "pos_embed", 1, embedDim, background, background);
      t.add(p + "pos_embed_window", 1, embedDim, WINDOW, WINDOW);
      t.conv(p + "patch_embed.proj", embedDim, 3, PATCH_KERNEL, embedDim);
      long dim = embedDim;
      int block = 0;
      for (int stage = 0; stage < stages.size(); stage++) {
        long out = (long) embedDim << stage;
        for (int i = 0; i < stages.get(stage); i++) {
          block(t, p + "blocks." + block++ + ".", dim, out);
          dim = out;
        }
        String neck = "image_encoder.neck.convs." + (stages.size() - 1 - stage) + ".conv";
        t.conv(neck, CHANNELS, out, 1, CHANNELS);
      }
      t.add("no_mem_embed", 1, 1, CHANNELS);
    }

    private static void block(Target t, String p, long in, long out) {
      t.norm(p + "norm1", in);
      t.linear(p + "attn.qkv", 3 * out, in);
      t.linear(p + "attn.proj", out, out);
      if (in != out) {
        t.linear(p + "proj", out, in);
      }
      t.norm(p + "norm2", out);
      t.linear(p + "mlp.layers.0", 4 * out, out);
      t.linear(p + "mlp.layers.1", out, 4 * out);
    }
  }

  /// The checkpoint in the cache, written if it is not there yet.
  public Path checkpoint() {
    Path file;
    try {
      file = UserCache.openLasting("synthetic").resolve("sam-" + name + ".safetensors");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    if (!Files.exists(file)) {
      var target = new Target(new SafetensorsWriter());
      encoder.write(target);
      promptEncoder(target, encoder.isSam2() ? "sam_prompt_encoder." : "prompt_encoder.");
      maskDecoder(target, encoder.isSam2());
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

  private static void promptEncoder(Target t, String p) {
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

  private static void maskDecoder(Target t, boolean sam2) {
    String p = sam2 ? "sam_mask_decoder." : "mask_decoder.";
    t.add(p + "iou_token.weight", 1, CHANNELS);
    t.add(p + "mask_tokens.weight", MASKS, CHANNELS);
    for (int i = 0; i < 2; i++) {
      String layer = p + "transformer.layers." + i + ".";
      attention(t, layer + "self_attn", CHANNELS);
      attention(t, layer + "cross_attn_token_to_image", CHANNELS / 2);
      attention(t, layer + "cross_attn_image_to_token", CHANNELS / 2);
      t.linear(layer + (sam2 ? "mlp.layers.0" : "mlp.lin1"), MLP, CHANNELS);
      t.linear(layer + (sam2 ? "mlp.layers.1" : "mlp.lin2"), CHANNELS, MLP);
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
    if (sam2) {
      t.add(p + "obj_score_token.weight", 1, CHANNELS);
      mlp(t, p + "pred_obj_score_head", 1);
      t.conv(p + "conv_s0", CHANNELS / 8, CHANNELS, 1, CHANNELS / 8);
      t.conv(p + "conv_s1", CHANNELS / 4, CHANNELS, 1, CHANNELS / 4);
    }
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
