package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/// Diffusion transformers in the layout of their makers' own files, listed as the constructors of
/// those make them (Stability-AI/sd3.5's mmditx.py, black-forest-labs/flux and flux2's model.py,
/// PixArt-alpha's PixArt.py, ComfyUI's form of Z-Image).
final class OriginalLayout {
  /// A tensor of the makers' files, and those of diffusers whose rows it has.
  ///
  /// @param swapped whether it has the second half of the rows first
  private record Entry(String name, List<String> parts, boolean swapped) {}

  private final Map<String, Tensor> diffusers;
  private final List<Entry> entries = new ArrayList<>();

  private OriginalLayout(Map<String, Tensor> diffusers) {
    this.diffusers = diffusers;
  }

  /// The layout of a network of that class with these tensors.
  static OriginalLayout of(String className, Map<String, Tensor> diffusers) {
    var layout = new OriginalLayout(diffusers);
    switch (className) {
      case "SD3Transformer2DModel" -> layout.sd3();
      case "FluxTransformer2DModel" -> layout.flux();
      case "Flux2Transformer2DModel" -> layout.flux2();
      case "ZImageTransformer2DModel" -> layout.zImage();
      case "PixArtTransformer2DModel" -> layout.pixArt();
      default -> throw new IllegalArgumentException(className);
    }
    var named = new TreeSet<String>();
    layout.entries.forEach(e -> named.addAll(e.parts));
    assertEquals(new TreeSet<>(diffusers.keySet()), named);
    return layout;
  }

  /// The makers' tensors.
  Map<String, Tensor> original() {
    var out = new LinkedHashMap<String, Tensor>();
    for (var entry : entries) {
      var first = diffusers.get(entry.parts.getFirst());
      var values = new ArrayList<float[]>();
      entry.parts.forEach(part -> values.add(diffusers.get(part).toFloats()));
      long rows = 0;
      for (String part : entry.parts) {
        rows += diffusers.get(part).dim(0);
      }
      long[] dims = first.shape().dims();
      dims[0] = rows;
      float[] all = joined(values);
      float[] stored = entry.swapped ? swapped(all) : all;
      out.put(entry.name, Tensor.ofFloats(Arena.ofAuto(), stored, dims));
    }
    return out;
  }

  /// Diffusers' tensors of the makers'.
  Map<String, Tensor> diffusers(Map<String, Tensor> original) {
    var out = new LinkedHashMap<String, Tensor>();
    for (var entry : entries) {
      float[] stored = original.get(entry.name).toFloats();
      float[] all = entry.swapped ? swapped(stored) : stored;
      int at = 0;
      for (String part : entry.parts) {
        var shape = diffusers.get(part).shape();
        var values = new float[(int) shape.size()];
        System.arraycopy(all, at, values, 0, values.length);
        at += values.length;
        out.put(part, Tensor.ofFloats(Arena.ofAuto(), values, shape.dims()));
      }
    }
    return out;
  }

  private static float[] joined(List<float[]> parts) {
    var out = new float[parts.stream().mapToInt(p -> p.length).sum()];
    int at = 0;
    for (float[] part : parts) {
      System.arraycopy(part, 0, out, at, part.length);
      at += part.length;
    }
    return out;
  }

  private static float[] swapped(float[] values) {
    int half = values.length / 2;
    var out = new float[values.length];
    System.arraycopy(values, half, out, 0, half);
    System.arraycopy(values, 0, out, half, half);
    return out;
  }

  /// Weight and bias of a module, as far as it has them.
  private void add(String name, String... modules) {
    add(name, false, modules);
  }

  private void add(String name, boolean swapped, String... modules) {
    for (String ending : List.of(".weight", ".bias")) {
      if (diffusers.containsKey(modules[0] + ending)) {
        var parts = new ArrayList<String>();
        for (String module : modules) {
          parts.add(module + ending);
        }
        entries.add(new Entry(name + ending, parts, swapped));
      }
    }
  }

  private void tensor(String name, String diffusersName) {
    if (diffusers.containsKey(diffusersName)) {
      entries.add(new Entry(name, List.of(diffusersName), false));
    }
  }

  private boolean has(String prefix) {
    return diffusers.keySet().stream().anyMatch(name -> name.startsWith(prefix));
  }

  private void sd3() {
    add("x_embedder.proj", "pos_embed.proj");
    tensor("pos_embed", "pos_embed.pos_embed");
    add("context_embedder", "context_embedder");
    for (int i = 0; i < 2; i++) {
      String linear = ".linear_" + (i + 1);
      add("t_embedder.mlp." + 2 * i, "time_text_embed.timestep_embedder" + linear);
      add("y_embedder.mlp." + 2 * i, "time_text_embed.text_embedder" + linear);
    }
    for (int i = 0; has("transformer_blocks." + i + "."); i++) {
      String d = "transformer_blocks." + i + ".";
      String x = "joint_blocks." + i + ".x_block.";
      String c = "joint_blocks." + i + ".context_block.";
      boolean last = !has("transformer_blocks." + (i + 1) + ".");
      add(x + "adaLN_modulation.1", d + "norm1.linear");
      add(c + "adaLN_modulation.1", last, d + "norm1_context.linear");
      add(x + "attn.qkv", d + "attn.to_q", d + "attn.to_k", d + "attn.to_v");
      add(x + "attn2.qkv", d + "attn2.to_q", d + "attn2.to_k", d + "attn2.to_v");
      add(c + "attn.qkv", d + "attn.add_q_proj", d + "attn.add_k_proj", d + "attn.add_v_proj");
      for (String kind : List.of("q", "k")) {
        add(x + "attn.ln_" + kind, d + "attn.norm_" + kind);
        add(x + "attn2.ln_" + kind, d + "attn2.norm_" + kind);
        add(c + "attn.ln_" + kind, d + "attn.norm_added_" + kind);
      }
      add(x + "attn.proj", d + "attn.to_out.0");
      add(x + "attn2.proj", d + "attn2.to_out.0");
      add(c + "attn.proj", d + "attn.to_add_out");
      add(x + "mlp.fc1", d + "ff.net.0.proj");
      add(x + "mlp.fc2", d + "ff.net.2");
      add(c + "mlp.fc1", d + "ff_context.net.0.proj");
      add(c + "mlp.fc2", d + "ff_context.net.2");
    }
    add("final_layer.adaLN_modulation.1", true, "norm_out.linear");
    add("final_layer.linear", "proj_out");
  }

  private void flux() {
    add("img_in", "x_embedder");
    add("txt_in", "context_embedder");
    embedder("time_in", "time_text_embed.timestep_embedder");
    embedder("vector_in", "time_text_embed.text_embedder");
    embedder("guidance_in", "time_text_embed.guidance_embedder");
    for (int i = 0; has("transformer_blocks." + i + "."); i++) {
      String d = "transformer_blocks." + i + ".";
      String b = "double_blocks." + i + ".";
      add(b + "img_mod.lin", d + "norm1.linear");
      add(b + "txt_mod.lin", d + "norm1_context.linear");
      joint(b, d);
      add(b + "img_mlp.0", d + "ff.net.0.proj");
      add(b + "img_mlp.2", d + "ff.net.2");
      add(b + "txt_mlp.0", d + "ff_context.net.0.proj");
      add(b + "txt_mlp.2", d + "ff_context.net.2");
    }
    for (int i = 0; has("single_transformer_blocks." + i + "."); i++) {
      String d = "single_transformer_blocks." + i + ".";
      String b = "single_blocks." + i + ".";
      add(b + "modulation.lin", d + "norm.linear");
      add(b + "linear1", d + "attn.to_q", d + "attn.to_k", d + "attn.to_v", d + "proj_mlp");
      add(b + "linear2", d + "proj_out");
      tensor(b + "norm.query_norm.scale", d + "attn.norm_q.weight");
      tensor(b + "norm.key_norm.scale", d + "attn.norm_k.weight");
    }
    add("final_layer.adaLN_modulation.1", true, "norm_out.linear");
    add("final_layer.linear", "proj_out");
  }

  private void embedder(String name, String module) {
    add(name + ".in_layer", module + ".linear_1");
    add(name + ".out_layer", module + ".linear_2");
  }

  /// The attention of text and image.
  private void joint(String b, String d) {
    add(b + "img_attn.qkv", d + "attn.to_q", d + "attn.to_k", d + "attn.to_v");
    add(b + "txt_attn.qkv", d + "attn.add_q_proj", d + "attn.add_k_proj", d + "attn.add_v_proj");
    tensor(b + "img_attn.norm.query_norm.scale", d + "attn.norm_q.weight");
    tensor(b + "img_attn.norm.key_norm.scale", d + "attn.norm_k.weight");
    tensor(b + "txt_attn.norm.query_norm.scale", d + "attn.norm_added_q.weight");
    tensor(b + "txt_attn.norm.key_norm.scale", d + "attn.norm_added_k.weight");
    add(b + "img_attn.proj", d + "attn.to_out.0");
    add(b + "txt_attn.proj", d + "attn.to_add_out");
  }

  private void flux2() {
    add("img_in", "x_embedder");
    add("txt_in", "context_embedder");
    embedder("time_in", "time_guidance_embed.timestep_embedder");
    for (String kind : List.of("double_stream_modulation_img", "double_stream_modulation_txt")) {
      add(kind + ".lin", kind + ".linear");
    }
    add("single_stream_modulation.lin", "single_stream_modulation.linear");
    for (int i = 0; has("transformer_blocks." + i + "."); i++) {
      String d = "transformer_blocks." + i + ".";
      String b = "double_blocks." + i + ".";
      joint(b, d);
      add(b + "img_mlp.0", d + "ff.linear_in");
      add(b + "img_mlp.2", d + "ff.linear_out");
      add(b + "txt_mlp.0", d + "ff_context.linear_in");
      add(b + "txt_mlp.2", d + "ff_context.linear_out");
    }
    for (int i = 0; has("single_transformer_blocks." + i + "."); i++) {
      String d = "single_transformer_blocks." + i + ".attn.";
      String b = "single_blocks." + i + ".";
      add(b + "linear1", d + "to_qkv_mlp_proj");
      add(b + "linear2", d + "to_out");
      tensor(b + "norm.query_norm.scale", d + "norm_q.weight");
      tensor(b + "norm.key_norm.scale", d + "norm_k.weight");
    }
    add("final_layer.adaLN_modulation.1", true, "norm_out.linear");
    add("final_layer.linear", "proj_out");
  }

  private void zImage() {
    add("x_embedder", "all_x_embedder.2-1");
    add("final_layer.linear", "all_final_layer.2-1.linear");
    add("final_layer.adaLN_modulation.1", "all_final_layer.2-1.adaLN_modulation.1");
    for (String same : List.of("t_embedder.mlp.0", "t_embedder.mlp.2")) {
      add(same, same);
    }
    add("cap_embedder.0", "cap_embedder.0");
    add("cap_embedder.1", "cap_embedder.1");
    tensor("x_pad_token", "x_pad_token");
    tensor("cap_pad_token", "cap_pad_token");
    for (String list : List.of("noise_refiner", "context_refiner", "layers")) {
      for (int i = 0; has(list + "." + i + "."); i++) {
        String b = list + "." + i + ".";
        String a = b + "attention.";
        add(a + "qkv", a + "to_q", a + "to_k", a + "to_v");
        add(a + "out", a + "to_out.0");
        add(a + "q_norm", a + "norm_q");
        add(a + "k_norm", a + "norm_k");
        for (String same :
            List.of(
                "adaLN_modulation.0",
                "attention_norm1",
                "attention_norm2",
                "ffn_norm1",
                "ffn_norm2",
                "feed_forward.w1",
                "feed_forward.w2",
                "feed_forward.w3")) {
          add(b + same, b + same);
        }
      }
    }
  }

  private void pixArt() {
    add("x_embedder.proj", "pos_embed.proj");
    add("y_embedder.y_proj.fc1", "caption_projection.linear_1");
    add("y_embedder.y_proj.fc2", "caption_projection.linear_2");
    add("t_block.1", "adaln_single.linear");
    for (int i = 0; i < 2; i++) {
      String linear = "_embedder.linear_" + (i + 1);
      add("t_embedder.mlp." + 2 * i, "adaln_single.emb.timestep" + linear);
      add("csize_embedder.mlp." + 2 * i, "adaln_single.emb.resolution" + linear);
      add("ar_embedder.mlp." + 2 * i, "adaln_single.emb.aspect_ratio" + linear);
    }
    for (int i = 0; has("transformer_blocks." + i + "."); i++) {
      String d = "transformer_blocks." + i + ".";
      String b = "blocks." + i + ".";
      tensor(b + "scale_shift_table", d + "scale_shift_table");
      add(b + "attn.qkv", d + "attn1.to_q", d + "attn1.to_k", d + "attn1.to_v");
      add(b + "attn.proj", d + "attn1.to_out.0");
      add(b + "cross_attn.q_linear", d + "attn2.to_q");
      add(b + "cross_attn.kv_linear", d + "attn2.to_k", d + "attn2.to_v");
      add(b + "cross_attn.proj", d + "attn2.to_out.0");
      add(b + "mlp.fc1", d + "ff.net.0.proj");
      add(b + "mlp.fc2", d + "ff.net.2");
    }
    tensor("final_layer.scale_shift_table", "scale_shift_table");
    add("final_layer.linear", "proj_out");
  }
}
