package io.gatun.models.diffusion.files;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.loaders.LoadMode;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.WeightNames;
import io.gatun.models.nn.Weights;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;

/// A text encoder that comes by itself, or in the file of a network: a CLIP, a T5 or a language
/// model, as a directory, a `.safetensors` file with transformers' names, or a GGUF file.
final class TextEncoderFile implements AutoCloseable {
  /// What it is.
  enum Kind {
    CLIP("CLIP"),
    T5("T5's encoder"),
    LANGUAGE_MODEL("a language model");

    private final String title;

    Kind(String title) {
      this.title = title;
    }

    @Override
    public String toString() {
      return title;
    }

    /// The kind of a part that a configuration describes.
    static Kind of(JsonKeys config) {
      return switch (config.text("model_type", "")) {
        case "clip_text_model" -> CLIP;
        case "t5" -> T5;
        default -> LANGUAGE_MODEL;
      };
    }

    /// The width of the states that a configuration tells.
    int width(JsonKeys config) {
      return config.integer(this == T5 ? "d_model" : "hidden_size");
    }
  }

  /// Names in llama.cpp's files.
  private static final NameTable T5_GGUF =
      NameTable.of(
          """
          ^shared\\.                                               token_embd.
          ^encoder\\.final_layer_norm\\.                           enc.output_norm.
          ^encoder\\.block\\.                                      enc.blk.
          \\.layer\\.0\\.SelfAttention\\.relative_attention_bias\\. .attn_rel_b.
          \\.layer\\.0\\.SelfAttention\\.([qkvo])\\.               .attn_$1.
          \\.layer\\.0\\.layer_norm\\.                             .attn_norm.
          \\.layer\\.1\\.layer_norm\\.                             .ffn_norm.
          \\.layer\\.1\\.DenseReluDense\\.wi_0\\.                  .ffn_gate.
          \\.layer\\.1\\.DenseReluDense\\.wi_1\\.                  .ffn_up.
          \\.layer\\.1\\.DenseReluDense\\.wo\\.                    .ffn_down.
          """);

  private static final NameTable QWEN_GGUF =
      NameTable.of(
          """
          ^model\\.embed_tokens\\.                                 token_embd.
          ^model\\.norm\\.                                         output_norm.
          ^model\\.layers\\.                                       blk.
          \\.input_layernorm\\.                                    .attn_norm.
          \\.post_attention_layernorm\\.                           .ffn_norm.
          \\.self_attn\\.([qkv])_proj\\.                           .attn_$1.
          \\.self_attn\\.o_proj\\.                                 .attn_output.
          \\.self_attn\\.([qk])_norm\\.                            .attn_$1_norm.
          \\.mlp\\.(gate|up|down)_proj\\.                          .ffn_$1.
          """);

  /// As in a pipeline's folders; of GGUF files a language model's last layers and output.
  private static final Pattern LEFTOVERS =
      Pattern.compile(
          DiffusersFolder.LEFTOVERS
              + "|encoder\\.embed_tokens\\.weight$|logit_scale$|blk\\.\\d+\\.|output(_norm)?\\.");

  private static final String CLIP_MARK = "text_model.embeddings.token_embedding.weight";
  private static final String T5_MARK = "encoder.block.0.layer.0.SelfAttention.q.weight";
  private static final String LLM_MARK = "model.layers.0.self_attn.q_proj.weight";

  /// OpenAI's CLIP; wider ones are OpenCLIP's, with another activation.
  private static final long OPEN_AI_WIDTH = 768;

  private static final long CLIP_HEAD = 64;

  private static final ObjectMapper JSON = new ObjectMapper();

  private final UsedTensors tensors;
  private final String prefix;
  private final Kind kind;
  private final WeightNames names;
  private boolean asked;

  private TextEncoderFile(UsedTensors tensors, String prefix) {
    this.tensors = tensors;
    this.prefix = prefix;
    boolean gguf = tensors.checkpoint().format() == Format.GGUF;
    if (gguf && tensors.has("enc.blk.0.attn_q.weight")) {
      kind = Kind.T5;
      names = name -> WeightNames.Stored.of(T5_GGUF.apply(name));
    } else if (gguf && tensors.has("blk.0.attn_q.weight")) {
      kind = Kind.LANGUAGE_MODEL;
      names = name -> WeightNames.Stored.of(QWEN_GGUF.apply(name));
    } else {
      kind =
          tensors.has(prefix + CLIP_MARK)
              ? Kind.CLIP
              : tensors.has(prefix + T5_MARK)
                  ? Kind.T5
                  : tensors.has(prefix + LLM_MARK) ? Kind.LANGUAGE_MODEL : null;
      names = name -> WeightNames.Stored.of(prefix + name);
    }
  }

  /// Opens a directory or file.
  ///
  /// @throws CheckpointException if it is none, or holds no text encoder that Gatun knows
  static TextEncoderFile open(Path path, LoadMode mode) {
    var checkpoint = Checkpoint.open(path, mode);
    var file = new TextEncoderFile(new UsedTensors(checkpoint), "");
    if (file.kind == null) {
      checkpoint.close();
      throw new CheckpointException(
          "%s holds no text encoder: need the tensors \"%s\" (CLIP), \"%s\" (T5) or \"%s\" (a language model), or a GGUF file of T5's encoder or a language model. List it with: gatun inspect %s"
              .formatted(path, CLIP_MARK, T5_MARK, LLM_MARK, path));
    }
    return file;
  }

  /// The text encoder behind a prefix of a file that holds other parts, too; null if there is none.
  static TextEncoderFile inside(UsedTensors tensors, String prefix) {
    var file = new TextEncoderFile(tensors, prefix);
    return file.kind == null ? null : file;
  }

  Path path() {
    return tensors.checkpoint().path();
  }

  Kind kind() {
    return kind;
  }

  Checkpoint checkpoint() {
    return tensors.checkpoint();
  }

  /// The width of its states.
  int width() {
    return kind.width(config());
  }

  /// The tensors by transformers' names.
  Weights weights() {
    asked = true;
    return shapes();
  }

  private Weights shapes() {
    return Weights.of(tensors, names);
  }

  /// Where its tokenizer is: a GGUF file's own, or files beside the weights; null for CLIP, whose
  /// vocabulary all have, if there is none.
  Path tokenizer() {
    Path folder = Files.isDirectory(path()) ? path() : path().toAbsolutePath().getParent();
    if (kind == Kind.CLIP) {
      return Files.exists(folder.resolve("vocab.json")) ? folder : null;
    }
    return checkpoint().metadata().containsKey("tokenizer.ggml.model") ? path() : folder;
  }

  /// The configuration beside the weights, or what the tensors and a GGUF file's metadata show.
  JsonKeys config() {
    Path beside = path().resolve("config.json");
    if (Files.exists(beside)) {
      return JsonKeys.read(beside);
    }
    var json =
        switch (kind) {
          case CLIP -> clip(shapes());
          case T5 -> t5(shapes());
          case LANGUAGE_MODEL -> languageModel();
        };
    return new JsonKeys(json, path().toString());
  }

  private static ObjectNode clip(Weights w) {
    var table = w.shape(CLIP_MARK);
    long width = table.dim(1);
    var out = JSON.createObjectNode();
    out.put("model_type", "clip_text_model")
        .put("vocab_size", table.dim(0))
        .put("hidden_size", width)
        .put("intermediate_size", w.shape("text_model.encoder.layers.0.mlp.fc1.weight").dim(0))
        .put("num_hidden_layers", count(w, "text_model.encoder.layers.%d.mlp.fc1.weight"))
        .put("num_attention_heads", width / CLIP_HEAD)
        .put(
            "max_position_embeddings",
            w.shape("text_model.embeddings.position_embedding.weight").dim(0))
        .put("hidden_act", width == OPEN_AI_WIDTH ? "quick_gelu" : "gelu")
        .put("projection_dim", width)
        .put("eos_token_id", table.dim(0) - 1);
    return out;
  }

  private static ObjectNode t5(Weights w) {
    var table = w.shape("shared.weight");
    var bias = w.shape("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
    var out = JSON.createObjectNode();
    out.put("model_type", "t5")
        .put("feed_forward_proj", "gated-gelu")
        .put("dense_act_fn", "gelu_new")
        .put("vocab_size", table.dim(0))
        .put("d_model", table.dim(1))
        .put("d_kv", w.shape(T5_MARK).dim(0) / bias.dim(1))
        .put("d_ff", w.shape("encoder.block.0.layer.1.DenseReluDense.wi_0.weight").dim(0))
        .put("num_layers", count(w, "encoder.block.%d.layer.0.SelfAttention.q.weight"))
        .put("num_heads", bias.dim(1))
        .put("relative_attention_num_buckets", bias.dim(0));
    return out;
  }

  private static int count(Weights weights, String tensor) {
    int n = 0;
    while (weights.has(tensor.formatted(n))) {
      n++;
    }
    return n;
  }

  private ObjectNode languageModel() {
    var metadata = checkpoint().metadata();
    Object architecture = metadata.get("general.architecture");
    if (!"qwen3".equals(architecture)) {
      throw new CheckpointException(
          "%s is a language model without a configuration: need a directory with config.json and the tokenizer beside the weights, or a GGUF file of Qwen3%s"
              .formatted(path(), architecture == null ? "" : ", and this is " + architecture));
    }
    var out = JSON.createObjectNode();
    out.put("model_type", "qwen3")
        .put("hidden_act", "silu")
        .put("vocab_size", shapes().shape("model.embed_tokens.weight").dim(0))
        .put("hidden_size", number("embedding_length"))
        .put("intermediate_size", number("feed_forward_length"))
        .put("num_hidden_layers", number("block_count"))
        .put("num_attention_heads", number("attention.head_count"))
        .put("num_key_value_heads", number("attention.head_count_kv"))
        .put("head_dim", number("attention.key_length"))
        .put("rms_norm_eps", real("attention.layer_norm_rms_epsilon"))
        .put("rope_theta", real("rope.freq_base"));
    return out;
  }

  private long number(String key) {
    return (long) real(key);
  }

  private double real(String key) {
    if (checkpoint().metadata().get("qwen3." + key) instanceof Number number) {
      return number.doubleValue();
    }
    throw new CheckpointException(
        "%s: its metadata lack the number \"qwen3.%s\"".formatted(path(), key));
  }

  /// Checks, once the network is made, that it has read all tensors; language models that are made
  /// of [#checkpoint] check that themselves.
  void requireAllUsed() {
    if (prefix.isEmpty() && asked) {
      tensors.requireAllUsed(LEFTOVERS);
    }
  }

  @Override
  public void close() {
    checkpoint().close();
  }
}
