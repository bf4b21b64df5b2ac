package io.gatun.models.llama;

import io.gatun.loaders.Checkpoint;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// The names that the three families of checkpoints give to the same tensors, in one table.
enum LlamaNames {
  HUGGING_FACE(0),
  GGUF(1),
  META(2);

  /// Hugging Face, GGUF, Meta; %d is the layer, a second %d the expert.
  private static final List<List<String>> TABLE =
      List.of(
          row("model.embed_tokens", "token_embd", "tok_embeddings"),
          row("model.norm", "output_norm", "norm"),
          row("lm_head", "output", "output"),
          row("model.layers.%d.input_layernorm", "blk.%d.attn_norm", "layers.%d.attention_norm"),
          row("model.layers.%d.self_attn.q_proj", "blk.%d.attn_q", "layers.%d.attention.wq"),
          row("model.layers.%d.self_attn.k_proj", "blk.%d.attn_k", "layers.%d.attention.wk"),
          row("model.layers.%d.self_attn.v_proj", "blk.%d.attn_v", "layers.%d.attention.wv"),
          row("model.layers.%d.self_attn.o_proj", "blk.%d.attn_output", "layers.%d.attention.wo"),
          row("model.layers.%d.self_attn.q_norm", "blk.%d.attn_q_norm", "layers.%d.q_norm"),
          row("model.layers.%d.self_attn.k_norm", "blk.%d.attn_k_norm", "layers.%d.k_norm"),
          row("model.layers.%d.post_attention_layernorm", "blk.%d.ffn_norm", "layers.%d.ffn_norm"),
          row("model.layers.%d.mlp.gate_proj", "blk.%d.ffn_gate", "layers.%d.feed_forward.w1"),
          row("model.layers.%d.mlp.down_proj", "blk.%d.ffn_down", "layers.%d.feed_forward.w2"),
          row("model.layers.%d.mlp.up_proj", "blk.%d.ffn_up", "layers.%d.feed_forward.w3"),
          row(
              "model.layers.%d.block_sparse_moe.gate",
              "blk.%d.ffn_gate_inp", "layers.%d.feed_forward.gate"),
          row(
              "model.layers.%d.block_sparse_moe.experts.%d.w1",
              "blk.%d.ffn_gate.%d", "layers.%d.feed_forward.experts.%d.w1"),
          row(
              "model.layers.%d.block_sparse_moe.experts.%d.w2",
              "blk.%d.ffn_down.%d", "layers.%d.feed_forward.experts.%d.w2"),
          row(
              "model.layers.%d.block_sparse_moe.experts.%d.w3",
              "blk.%d.ffn_up.%d", "layers.%d.feed_forward.experts.%d.w3"));

  private static final Pattern LINEAR = Pattern.compile("_proj$|^lm_head$|\\.w[123]$");

  /// A number between dots: a layer's or an expert's.
  private static final Pattern NUMBER = Pattern.compile("\\.(\\d+)(?=\\.|$)");

  /// The matrices of all experts of a layer in one tensor (experts, rows, columns).
  private static final Pattern STACKED =
      Pattern.compile("blk\\.\\d+\\.ffn_(gate|up|down)_exps\\.weight");

  private final int column;

  LlamaNames(int column) {
    this.column = column;
  }

  /// The family whose embedding table the checkpoint holds, or null.
  static LlamaNames of(Checkpoint checkpoint) {
    Map<String, ?> tensors = checkpoint.tensors();
    for (var family : values()) {
      if (tensors.containsKey(family.name("model.embed_tokens.weight"))) {
        return family;
      }
    }
    return null;
  }

  /// This family's name for a tensor given by Hugging Face's name, such as
  /// `model.layers.%d.mlp.up_proj.weight`, with the numbers filled in.
  String name(String huggingFace, Object... numbers) {
    int dot = huggingFace.lastIndexOf('.');
    String stem = huggingFace.substring(0, dot);
    for (var row : TABLE) {
      if (row.get(0).equals(stem)) {
        return (row.get(column) + huggingFace.substring(dot)).formatted(numbers);
      }
    }
    throw new IllegalArgumentException("not in the table of names: " + huggingFace);
  }

  /// Whether `name` is this family's name for the matrix of a linear layer: not for the embedding
  /// table, a norm, a bias, or a mixture's router, which is small and decides much.
  boolean isLinear(String name) {
    if (this == GGUF && STACKED.matcher(name).matches()) {
      return true;
    }
    var row = row(name);
    return row != null && name.endsWith(".weight") && LINEAR.matcher(row.get(0)).find();
  }

  /// GGUF's name for what this family calls `name`, or null if it has none.
  String toGguf(String name) {
    var row = row(name);
    if (row == null) {
      return null;
    }
    Object[] numbers = NUMBER.matcher(name).results().map(r -> r.group(1)).toArray();
    String stem = row.get(GGUF.column).replace("%d", "%s").formatted(numbers);
    return stem + name.substring(name.lastIndexOf('.'));
  }

  /// The row of the table that a name of this family belongs to, or null.
  private List<String> row(String name) {
    int dot = name.lastIndexOf('.');
    String stem = dot < 0 ? "" : NUMBER.matcher(name.substring(0, dot)).replaceAll(".%d");
    return TABLE.stream().filter(row -> row.get(column).equals(stem)).findFirst().orElse(null);
  }

  private static List<String> row(String huggingFace, String gguf, String meta) {
    return List.of(huggingFace, gguf, meta);
  }
}
