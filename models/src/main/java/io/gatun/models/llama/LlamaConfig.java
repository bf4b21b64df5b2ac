package io.gatun.models.llama;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.models.nn.JsonKeys;
import io.gatun.models.nn.RotaryEmbedding;
import io.gatun.models.nn.UnknownKeys;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

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
  /// What [LlamaWeights] sees from the tensors; what is for training, or for windows that are off.
  private static final Pattern HARMLESS =
      Pattern.compile("(attention|mlp|qkv)_bias|max_window_layers|rope_theta|vocab_size");

  /// What [LlamaWeights] sees from the tensors, and how the file was made.
  private static final Pattern HARMLESS_META =
      Pattern.compile(
          "multiple_of|ffn_dim_multiplier|hidden_dim|vocab_size|max_batch_size|model_args");

  private static final Pattern HARMLESS_GGUF =
      Pattern.compile(
          "tensor_data_layout|rope\\.scaling\\.(original_context_length|finetuned)"
              + "|attention\\.layer_norm_epsilon|expert_feed_forward_length|pooling_type");

  /// A head has at most some hundred numbers; more would only take memory.
  private static final int MAX_HEAD_DIM = 1 << 14;

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
    if (Files.exists(config)) {
      var keys = JsonKeys.read(config);
      var read = fromJson(keys);
      requireTensors(keys, checkpoint);
      return read;
    }
    if (Files.exists(params)) {
      return fromMeta(JsonKeys.read(params), checkpoint);
    }
    throw new CheckpointException(
        "%s: need config.json (Hugging Face) or params.json (Meta) in %s to know the model's heads"
                .formatted(path, dir)
            + " and layers; copy it there from where the checkpoint came from");
  }

  /// Asks for the tensors that keys of config.json promise: without them another model would run.
  private static void requireTensors(JsonKeys keys, Checkpoint checkpoint) {
    var json = keys.json();
    boolean untied = !json.path("tie_word_embeddings").asBoolean(true);
    requireTensor(untied, "tie_word_embeddings", false, "lm_head.weight", checkpoint);
    for (var entry :
        Map.of("attention_bias", "self_attn.q_proj.bias", "mlp_bias", "mlp.up_proj.bias")
            .entrySet()) {
      boolean biased = json.path(entry.getKey()).asBoolean(false);
      requireTensor(
          biased, entry.getKey(), true, "model.layers.%d." + entry.getValue(), checkpoint);
    }
  }

  private static void requireTensor(
      boolean promised, String key, boolean value, String tensor, Checkpoint checkpoint) {
    var names = LlamaNames.of(checkpoint);
    if (promised && names != null && !checkpoint.tensors().containsKey(names.name(tensor, 0))) {
      throw new CheckpointException(
          "%s: \"%s\" is %s in config.json, but there is no tensor \"%s\": the configuration belongs to another model, or a part of the checkpoint is missing. List the file with: gatun inspect %s"
              .formatted(checkpoint.path(), key, value, names.name(tensor, 0), checkpoint.path()));
    }
  }

  /// Reads Hugging Face's config.json.
  ///
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  public static LlamaConfig fromJson(JsonKeys keys) {
    String type = keys.text("model_type", "llama");
    if (!HF_TYPES.contains(type)) {
      throw unsupported(keys.where(), "model_type", type, HF_TYPES);
    }
    keys.require("hidden_act", "silu", "silu");
    keys.require("partial_rotary_factor", 1);
    int hidden = keys.count("hidden_size");
    int heads = keys.count("num_attention_heads");
    int experts = keys.isAbsent("num_local_experts") ? 0 : keys.integer("num_local_experts");
    int layers = keys.count("num_hidden_layers");
    int window = window(keys, type, layers);
    // What transformers takes where an old file says nothing.
    boolean mixtral = type.equals("mixtral");
    var config =
        new LlamaConfig(
            type,
            hidden,
            keys.count("intermediate_size"),
            layers,
            heads,
            keys.count("num_key_value_heads", heads),
            keys.count("head_dim", type.equals("qwen3") ? 128 : hidden / heads),
            keys.count("vocab_size"),
            keys.count("max_position_embeddings", 2048),
            (float) keys.number("rms_norm_eps", mixtral ? 1e-5 : 1e-6),
            RotaryEmbedding.Config.fromJson(keys, mixtral ? 1e6 : 1e4),
            false,
            window,
            experts,
            experts == 0 ? 0 : keys.count("num_experts_per_tok", 2));
    keys.requireAllRead(HARMLESS);
    return config;
  }

  /// Positions that a token sees, 0 for all; the same in all layers.
  private static int window(JsonKeys keys, String type, int layers) {
    boolean qwen = type.startsWith("qwen");
    if (qwen && keys.flag("use_sliding_window", false)) {
      throw new CheckpointException(
          keys.where()
              + ": use_sliding_window is true; Gatun runs Qwen models with full attention only");
    }
    // Mistral's first file has no such key, and its second null for none.
    int absent = type.equals("mistral") && !keys.json().has("sliding_window") ? 4096 : 0;
    int window = keys.isAbsent("sliding_window") ? absent : keys.integer("sliding_window");
    if (qwen || type.equals("llama")) {
      window = 0;
    }
    if (!keys.isAbsent("layer_types")) {
      String needed = window > 0 ? "sliding_attention" : "full_attention";
      var types = keys.texts("layer_types");
      if (types.size() != layers || !types.stream().allMatch(needed::equals)) {
        throw new CheckpointException(
            "%s: \"layer_types\" is %s; Gatun runs %s in all %d layers"
                .formatted(keys.where(), UnknownKeys.shown(types), needed, layers));
      }
    }
    return window;
  }

  /// Reads Meta's params.json; the sizes that it leaves open come from the tensors.
  ///
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  public static LlamaConfig fromMeta(JsonKeys keys, Checkpoint checkpoint) {
    if (keys.flag("use_scaled_rope", false)) {
      throw new CheckpointException(
          keys.where()
              + ": use_scaled_rope does not say the factors; put Hugging Face's config.json of this"
              + " model beside the checkpoint");
    }
    int dim = keys.count("dim");
    int heads = keys.count("n_heads");
    var config =
        new LlamaConfig(
            "llama",
            dim,
            rows(checkpoint, "layers.0.feed_forward.w1.weight"),
            keys.count("n_layers"),
            heads,
            keys.count("n_kv_heads", heads),
            keys.count("head_dim", dim / heads),
            rows(checkpoint, "tok_embeddings.weight"),
            keys.count("max_seq_len", 2048),
            (float) keys.number("norm_eps", 1e-5),
            RotaryEmbedding.Config.fromJson(keys, 1e4),
            true,
            keys.isAbsent("sliding_window") ? 0 : keys.count("sliding_window"),
            0,
            0);
    keys.requireAllRead(HARMLESS_META);
    return config;
  }

  private static int rows(Checkpoint checkpoint, String name) {
    var shape = checkpoint.tensor(name).shape();
    if (shape.rank() != 2 || shape.dim(0) > Integer.MAX_VALUE) {
      throw new CheckpointException(
          "%s: tensor \"%s\" is %s; need a matrix".formatted(checkpoint.path(), name, shape));
    }
    return (int) shape.dim(0);
  }

  /// Reads a GGUF file's metadata.
  ///
  /// @param where the file's name, for messages
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  public static LlamaConfig fromGguf(Map<String, Object> metadata, String where) {
    Object name = metadata.get("general.architecture");
    if (!(name instanceof String architecture) || !GGUF_ARCHITECTURES.contains(architecture)) {
      throw unsupported(where, "general.architecture", name, GGUF_ARCHITECTURES);
    }
    var keys = new GgufKeys(metadata, architecture, where);
    int hidden = keys.count("embedding_length");
    int heads = keys.count("attention.head_count");
    int headDim = keys.count("attention.key_length", hidden / heads);
    for (String same : List.of("rope.dimension_count", "attention.value_length")) {
      int found = keys.count(same, headDim);
      if (found != headDim) {
        throw new CheckpointException(
            "%s: %s is %d; Gatun rotates whole heads, and keys and values are of one size, here %d"
                .formatted(where, keys.full(same), found, headDim));
      }
    }
    int experts = keys.countOrNone("expert_count");
    int used = keys.countOrNone("expert_used_count");
    var config =
        new LlamaConfig(
            architecture,
            hidden,
            keys.count("feed_forward_length"),
            keys.count("block_count"),
            heads,
            keys.count("attention.head_count_kv", heads),
            headDim,
            keys.count(
                "vocab_size",
                metadata.get("tokenizer.ggml.tokens") instanceof List<?> l ? l.size() : 0),
            keys.count("context_length", 2048),
            (float) keys.number("attention.layer_norm_rms_epsilon", 1e-6),
            RotaryEmbedding.Config.fromGguf(
                keys.number("rope.freq_base", 1e4),
                keys.text("rope.scaling.type", "none"),
                keys.number("rope.scaling.factor", keys.number("rope.scale_linear", 1)),
                where),
            !architecture.startsWith("qwen"),
            keys.countOrNone("attention.sliding_window"),
            experts,
            experts == 0 ? 0 : Math.max(1, used));
    keys.requireAllRead(HARMLESS_GGUF);
    return config;
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
    if (hiddenSize <= 0 || numHiddenLayers <= 0 || vocabSize <= 0 || maxPositionEmbeddings <= 0) {
      throw new CheckpointException(
          "hidden_size %d, num_hidden_layers %d, vocab_size %d, max_position_embeddings %d: need positive sizes"
              .formatted(hiddenSize, numHiddenLayers, vocabSize, maxPositionEmbeddings));
    }
    if (headDim <= 0 || headDim % 2 != 0 || headDim > MAX_HEAD_DIM) {
      throw new CheckpointException(
          "head_dim %d: need an even number from 2 to %d".formatted(headDim, MAX_HEAD_DIM));
    }
    if (!(rmsNormEps >= 0 && rmsNormEps < 1) || slidingWindow < 0 || numLocalExperts < 0) {
      throw new CheckpointException(
          "rms_norm_eps %s, sliding_window %d, num_local_experts %d: need at least 0, the first below 1"
              .formatted(rmsNormEps, slidingWindow, numLocalExperts));
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
