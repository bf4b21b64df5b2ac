package io.gatun.models.decoder;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// The names that the families of checkpoints give to the same tensors, in one table.
///
/// A model's names are Hugging Face's; where that puts the model into a larger one, which also sees
/// images, say, more stands before them.
public final class TensorNames {
  /// Who named a checkpoint's tensors.
  public enum Family {
    HUGGING_FACE(0),
    GGUF(1),
    META(2);

    private final int column;

    Family(int column) {
      this.column = column;
    }
  }

  /// Hugging Face, GGUF, Meta (where it has it); %d is the layer, a second %d the expert. Where one
  /// of them does not end in `.weight`, all of them are whole names.
  private static final List<List<String>> TABLE =
      List.of(
          row("model.embed_tokens", "token_embd", "tok_embeddings"),
          row("model.norm", "output_norm", "norm"),
          row("model.embedding_norm", "token_embd_norm", ""),
          row("lm_head", "output", "output"),
          row("model.embed_tokens_per_layer", "per_layer_token_embd", ""),
          row("model.per_layer_model_projection", "per_layer_model_proj", ""),
          row("model.per_layer_projection_norm", "per_layer_proj_norm", ""),
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
          row("model.layers.%d.mlp.gate", "blk.%d.ffn_gate_inp", ""),
          row("model.layers.%d.mlp.experts.%d.gate_proj", "blk.%d.ffn_gate.%d", ""),
          row("model.layers.%d.mlp.experts.%d.down_proj", "blk.%d.ffn_down.%d", ""),
          row("model.layers.%d.mlp.experts.%d.up_proj", "blk.%d.ffn_up.%d", ""),
          row("model.layers.%d.mlp.shared_expert_gate", "blk.%d.ffn_gate_inp_shexp", ""),
          row("model.layers.%d.mlp.shared_expert.gate_proj", "blk.%d.ffn_gate_shexp", ""),
          row("model.layers.%d.mlp.shared_expert.down_proj", "blk.%d.ffn_down_shexp", ""),
          row("model.layers.%d.mlp.shared_expert.up_proj", "blk.%d.ffn_up_shexp", ""),
          row("model.layers.%d.mlp.shared_experts.gate_proj", "blk.%d.ffn_gate_shexp", ""),
          row("model.layers.%d.mlp.shared_experts.down_proj", "blk.%d.ffn_down_shexp", ""),
          row("model.layers.%d.mlp.shared_experts.up_proj", "blk.%d.ffn_up_shexp", ""),
          row("model.layers.%d.mlp.gate.e_score_correction_bias", "blk.%d.exp_probs_b.bias", ""),
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

  private static final Pattern LINEAR =
      Pattern.compile("_proj(_qkvz?|_z)?$|\\.c_fc$|^lm_head$|\\.w[123]$");

  /// A number between dots: a layer's or an expert's.
  private static final Pattern NUMBER = Pattern.compile("\\.(\\d+)(?=\\.|$)");

  /// GGUF's name for an expert's own matrix.
  private static final Pattern ALONE = Pattern.compile("(blk\\.\\d+\\.ffn_\\w+)\\.\\d+\\.weight");

  /// Of Hugging Face's models: before `model.`, and instead of that; then before `lm_head.`.
  private static final List<List<String>> PREFIXES =
      List.of(
          List.of("model.", ""),
          List.of("language_model.model.", "language_model."),
          List.of("model.language_model.", ""),
          List.of("backbone.", ""),
          List.of("", ""));

  /// What those whose names begin with `backbone.` (Nemotron) call otherwise.
  private static final Map<String, String> BACKBONE =
      Map.of("model.embed_tokens", "backbone.embeddings", "model.norm", "backbone.norm_f");

  private final Family family;
  private final List<String> prefixes;

  /// What this family calls the stems of Hugging Face's names.
  private final Map<String, String> stems = new HashMap<>();

  private TensorNames(Family family, List<String> prefixes, Map<String, String> own) {
    this.family = family;
    this.prefixes = prefixes;
    TABLE.forEach(row -> stems.put(row.getFirst(), row.get(family.column)));
    if (family == Family.GGUF) {
      own.forEach((name, gguf) -> stems.put("model.layers.%d." + name, "blk.%d." + gguf));
    }
  }

  /// The names of the family whose embedding table the checkpoint holds.
  ///
  /// @param own what GGUF calls an architecture's tensors, where that is not in the table: both
  ///   names without the layer
  /// @throws CheckpointException if it has none
  static TensorNames of(Checkpoint checkpoint, Map<String, String> own) {
    for (var family : Family.values()) {
      for (var prefixes : family == Family.HUGGING_FACE ? PREFIXES : PREFIXES.subList(0, 1)) {
        var names = new TensorNames(family, prefixes, own);
        if (checkpoint.tensors().containsKey(names.name("model.embed_tokens.weight"))) {
          return names;
        }
      }
    }
    throw new CheckpointException(
        "%s: no embedding table under any name that language models use (%s). List the file with: gatun inspect %s"
            .formatted(
                checkpoint.path(),
                "model.embed_tokens.weight, token_embd.weight, tok_embeddings.weight",
                checkpoint.path()));
  }

  public Family family() {
    return family;
  }

  /// Whether the model is a part of a larger one, whose other parts' tensors are beside its own.
  boolean isPart() {
    return prefixes.stream().anyMatch(prefix -> prefix.contains("language_model."));
  }

  /// This family's name for a tensor given by Hugging Face's, such as
  /// `model.layers.3.mlp.up_proj.weight`; null if it has none.
  public String name(String huggingFace) {
    if (family == Family.HUGGING_FACE) {
      int end = huggingFace.lastIndexOf('.');
      String other = BACKBONE.get(huggingFace.substring(0, end));
      if (other != null && prefixes.getFirst().equals("backbone.")) {
        return other + huggingFace.substring(end);
      }
      return huggingFace.startsWith("model.")
          ? prefixes.get(0) + huggingFace.substring("model.".length())
          : prefixes.get(1) + huggingFace;
    }
    String whole = stems.get(stem(huggingFace));
    if (whole != null) {
      return filled(whole, huggingFace);
    }
    int dot = huggingFace.lastIndexOf('.');
    String stem = stems.get(stem(huggingFace.substring(0, dot)));
    return stem == null ? null : filled(stem, huggingFace) + huggingFace.substring(dot);
  }

  private static String stem(String name) {
    return NUMBER.matcher(name).replaceAll(".%d");
  }

  /// A stem with the numbers of a name.
  private static String filled(String stem, String name) {
    Object[] numbers = NUMBER.matcher(name).results().map(r -> r.group(1)).toArray();
    return stem.replace("%d", "%s").formatted(numbers);
  }

  /// Hugging Face's stem of what this family calls `name`, or null.
  private String huggingFace(String name) {
    int dot = name.lastIndexOf('.');
    String stem = dot < 0 ? "" : stem(name.substring(0, dot));
    if (family == Family.HUGGING_FACE) {
      return stem.startsWith(prefixes.get(0))
          ? "model." + stem.substring(prefixes.get(0).length())
          : stem.startsWith(prefixes.get(1)) ? stem.substring(prefixes.get(1).length()) : null;
    }
    for (var entry : stems.entrySet()) {
      if (entry.getValue().equals(stem)) {
        return entry.getKey();
      }
    }
    return null;
  }

  /// GGUF's name for the tensor of all experts' matrices, of which one by itself would have this
  /// name; null in other families.
  static String stackOf(String alone) {
    var matcher = ALONE.matcher(alone);
    return matcher.matches() ? matcher.group(1) + "_exps.weight" : null;
  }

  /// The name of an expert's matrix that was taken from a tensor with those of all.
  public static String ofExpert(String stack, long expert) {
    return stack.contains("_exps.")
        ? stack.replace("_exps.", "." + expert + ".")
        : stack + "." + expert;
  }

  /// Whether `name` is this family's name for the matrix of a linear layer: not for the embedding
  /// table, a norm, a bias, or a mixture's router, which is small and decides much.
  public boolean isLinear(String name) {
    String stem = huggingFace(name);
    return stem != null && name.endsWith(".weight") && LINEAR.matcher(stem).find();
  }

  /// GGUF's name for what this family calls `name`, or null if it has none.
  public String toGguf(String name) {
    String stem = huggingFace(name);
    for (var row : TABLE) {
      if (row.getFirst().equals(stem)) {
        String gguf = row.get(Family.GGUF.column);
        return filled(gguf, name) + name.substring(name.lastIndexOf('.'));
      }
    }
    return null;
  }

  private static List<String> row(String huggingFace, String gguf, String meta) {
    return List.of(huggingFace, gguf, meta);
  }
}
