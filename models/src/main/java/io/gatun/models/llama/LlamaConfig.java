package io.gatun.models.llama;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.RotaryEmbedding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// The hyper-parameters of a Llama-family model; components are named as in config.json.
///
/// @param slidingWindow positions that a token sees, 0 for all
/// @param numLocalExperts experts of a mixture, 0 for a dense model
/// @param ropeInterleaved whether RoPE turns neighbouring pairs (Meta's and GGUF's Llama layout)
///   and not the two halves of a head (Hugging Face's layout, and Qwen's everywhere)
public record LlamaConfig(
    String modelType,
    int hiddenSize,
    int intermediateSize,
    int numHiddenLayers,
    int numAttentionHeads,
    int numKeyValueHeads,
    int headDim,
    int vocabSize,
    int maxPositionEmbeddings,
    float rmsNormEps,
    RotaryEmbedding.Config rope,
    boolean ropeInterleaved,
    int slidingWindow,
    int numLocalExperts,
    int numExpertsPerTok) {
  private static final Set<String> HF_TYPES =
      Set.of("llama", "mistral", "mixtral", "qwen2", "qwen3");
  private static final Set<String> GGUF_ARCHITECTURES =
      Set.of("llama", "mistral", "qwen2", "qwen3");

  /// The configuration of a checkpoint: a GGUF file's metadata, or the config.json (Hugging Face)
  /// or params.json (Meta) beside the files.
  ///
  /// @throws CheckpointException if there is none, or it asks for what Gatun does not do
  public static LlamaConfig of(Checkpoint checkpoint) {
    Path path = checkpoint.path();
    if (checkpoint.format() == Format.GGUF) {
      return fromGguf(checkpoint.metadata(), path.toString());
    }
    Path dir = Files.isDirectory(path) ? path : path.toAbsolutePath().getParent();
    Path config = dir.resolve("config.json");
    Path params = dir.resolve("params.json");
    try {
      if (Files.exists(config)) {
        return fromJson(new ObjectMapper().readTree(config.toFile()), config.toString());
      }
      if (Files.exists(params)) {
        return fromMeta(
            new ObjectMapper().readTree(params.toFile()), checkpoint, params.toString());
      }
    } catch (IOException e) {
      throw new CheckpointException(
          "%s: its configuration cannot be read: %s".formatted(dir, e.getMessage()), e);
    }
    throw new CheckpointException(
        "%s: need config.json (Hugging Face) or params.json (Meta) in %s to know the model's heads"
                .formatted(path, dir)
            + " and layers; copy it there from where the checkpoint came from");
  }

  /// Reads Hugging Face's config.json.
  ///
  /// @param where the file's name, for messages
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  public static LlamaConfig fromJson(JsonNode json, String where) {
    var keys = new JsonKeys(json, where);
    String type = keys.text("model_type", "llama");
    if (!HF_TYPES.contains(type)) {
      throw unsupported(where, "model_type", type, HF_TYPES);
    }
    keys.require("hidden_act", "silu", "silu");
    int hidden = keys.integer("hidden_size");
    int heads = keys.integer("num_attention_heads");
    boolean window = !type.startsWith("qwen") || keys.flag("use_sliding_window", false);
    if (window && type.startsWith("qwen")) {
      throw new CheckpointException(
          where + ": use_sliding_window is true; Gatun runs Qwen models with full attention only");
    }
    int experts = keys.integer("num_local_experts", 0);
    return new LlamaConfig(
        type,
        hidden,
        keys.integer("intermediate_size"),
        keys.integer("num_hidden_layers"),
        heads,
        keys.integer("num_key_value_heads", heads),
        keys.integer("head_dim", hidden / heads),
        keys.integer("vocab_size"),
        keys.integer("max_position_embeddings", 2048),
        (float) keys.number("rms_norm_eps", 1e-6),
        RotaryEmbedding.Config.fromJson(json, where),
        false,
        window ? keys.integer("sliding_window", 0) : 0,
        experts,
        experts == 0 ? 0 : keys.integer("num_experts_per_tok", 2));
  }

  /// Reads Meta's params.json; the sizes that it leaves open come from the tensors.
  ///
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  public static LlamaConfig fromMeta(JsonNode json, Checkpoint checkpoint, String where) {
    var keys = new JsonKeys(json, where);
    if (keys.flag("use_scaled_rope", false)) {
      throw new CheckpointException(
          where
              + ": use_scaled_rope does not say the factors; put Hugging Face's config.json of this"
              + " model beside the checkpoint");
    }
    int dim = keys.integer("dim");
    int heads = keys.integer("n_heads");
    var embedding = checkpoint.tensor("tok_embeddings.weight");
    var w1 = checkpoint.tensor("layers.0.feed_forward.w1.weight");
    return new LlamaConfig(
        "llama",
        dim,
        Math.toIntExact(w1.dim(0)),
        keys.integer("n_layers"),
        heads,
        keys.integer("n_kv_heads", heads),
        dim / heads,
        Math.toIntExact(embedding.dim(0)),
        keys.integer("max_seq_len", 2048),
        (float) keys.number("norm_eps", 1e-5),
        RotaryEmbedding.Config.of(keys.number("rope_theta", 10000)),
        true,
        0,
        0,
        0);
  }

  /// Reads a GGUF file's metadata.
  ///
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  public static LlamaConfig fromGguf(Map<String, Object> metadata, String where) {
    Object name = metadata.get("general.architecture");
    if (!(name instanceof String architecture) || !GGUF_ARCHITECTURES.contains(architecture)) {
      throw unsupported(where, "general.architecture", name, GGUF_ARCHITECTURES);
    }
    var keys = new GgufKeys(metadata, architecture, where);
    int hidden = keys.integer("embedding_length");
    int heads = keys.integer("attention.head_count");
    int headDim = keys.integer("attention.key_length", hidden / heads);
    int rotated = keys.integer("rope.dimension_count", headDim);
    if (rotated != headDim) {
      throw new CheckpointException(
          "%s: rope.dimension_count is %d; Gatun rotates whole heads of %d only"
              .formatted(where, rotated, headDim));
    }
    int experts = keys.integer("expert_count", 0);
    return new LlamaConfig(
        architecture,
        hidden,
        keys.integer("feed_forward_length"),
        keys.integer("block_count"),
        heads,
        keys.integer("attention.head_count_kv", heads),
        headDim,
        keys.integer(
            "vocab_size",
            metadata.get("tokenizer.ggml.tokens") instanceof List<?> l ? l.size() : 0),
        keys.integer("context_length", 2048),
        (float) keys.number("attention.layer_norm_rms_epsilon", 1e-6),
        RotaryEmbedding.Config.fromGguf(metadata, architecture, where),
        !architecture.startsWith("qwen"),
        keys.integer("attention.sliding_window", 0),
        experts,
        experts == 0 ? 0 : keys.integer("expert_used_count", 2));
  }

  /// The same model with its heads in Meta's layout: of consolidated.*.pth files.
  LlamaConfig withInterleavedRope() {
    return new LlamaConfig(
        modelType,
        hiddenSize,
        intermediateSize,
        numHiddenLayers,
        numAttentionHeads,
        numKeyValueHeads,
        headDim,
        vocabSize,
        maxPositionEmbeddings,
        rmsNormEps,
        rope,
        true,
        slidingWindow,
        numLocalExperts,
        numExpertsPerTok);
  }

  public LlamaConfig {
    if (numAttentionHeads <= 0
        || numKeyValueHeads <= 0
        || numAttentionHeads % numKeyValueHeads != 0) {
      throw new CheckpointException(
          "num_attention_heads %d is not a multiple of num_key_value_heads %d"
              .formatted(numAttentionHeads, numKeyValueHeads));
    }
    if (hiddenSize <= 0 || headDim <= 0 || headDim % 2 != 0 || numHiddenLayers <= 0) {
      throw new CheckpointException(
          "hidden_size %d, head_dim %d, num_hidden_layers %d: need positive sizes, head_dim even"
              .formatted(hiddenSize, headDim, numHiddenLayers));
    }
    if (numExpertsPerTok > numLocalExperts) {
      throw new CheckpointException(
          "num_experts_per_tok %d exceeds num_local_experts %d"
              .formatted(numExpertsPerTok, numLocalExperts));
    }
  }

  private static CheckpointException unsupported(
      String where, String key, Object found, Set<String> known) {
    return new CheckpointException(
        "%s: %s is \"%s\"; Gatun runs %s"
            .formatted(where, key, found, String.join(", ", known.stream().sorted().toList())));
  }
}
