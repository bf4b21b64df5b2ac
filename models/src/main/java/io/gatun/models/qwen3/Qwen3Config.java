package io.gatun.models.qwen3;

import io.gatun.models.nn.JsonKeys;
import java.util.regex.Pattern;

/// The hyper-parameters of Qwen3; components are named as in config.json.
public record Qwen3Config(
    int vocabSize,
    int hiddenSize,
    int intermediateSize,
    int numHiddenLayers,
    int numAttentionHeads,
    int numKeyValueHeads,
    int headDim,
    float rmsNormEps,
    double ropeTheta) {
  /// What concerns the output alone, longer texts than are read, or windows that are off.
  private static final Pattern HARMLESS =
      Pattern.compile(
          "bos_token_id|eos_token_id|max_position_embeddings|max_window_layers|tie_word_embeddings"
              + "|layer_types|sliding_window");

  /// Reads a text encoder's config.json.
  ///
  /// @throws io.gatun.loaders.CheckpointException if a key is missing or asks for what Gatun does
  ///   not do
  public static Qwen3Config of(JsonKeys keys) {
    keys.require("model_type", "qwen3", "qwen3");
    keys.require("hidden_act", "silu", "silu");
    keys.refuse("attention_bias");
    keys.refuse("rope_scaling");
    keys.refuse("use_sliding_window");
    int heads = keys.count("num_attention_heads");
    int d = keys.count("hidden_size");
    var config =
        new Qwen3Config(
            keys.count("vocab_size"),
            d,
            keys.count("intermediate_size"),
            keys.count("num_hidden_layers"),
            heads,
            keys.count("num_key_value_heads"),
            keys.count("head_dim", d / heads),
            (float) keys.number("rms_norm_eps", 1e-6),
            keys.number("rope_theta", 1_000_000));
    keys.requireAllRead(HARMLESS);
    return config;
  }

  /// What shapes the tensors, for messages.
  String reason() {
    return "hidden_size=%d, intermediate_size=%d, num_hidden_layers=%d, num_attention_heads=%d, num_key_value_heads=%d, head_dim=%d in config.json"
        .formatted(
            hiddenSize,
            intermediateSize,
            numHiddenLayers,
            numAttentionHeads,
            numKeyValueHeads,
            headDim);
  }
}
