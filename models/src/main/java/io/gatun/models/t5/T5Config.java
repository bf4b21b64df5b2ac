package io.gatun.models.t5;

import io.gatun.models.nn.JsonKeys;
import java.util.regex.Pattern;

/// The hyper-parameters of T5's encoder; components are named as in config.json.
public record T5Config(
    int vocabSize,
    int dModel,
    int dKv,
    int dFf,
    int numLayers,
    int numHeads,
    int relativeAttentionNumBuckets,
    int relativeAttentionMaxDistance,
    float layerNormEpsilon,
    int eosTokenId,
    int padTokenId) {
  /// What concerns the decoder, the training, or the outputs that a caller wants.
  private static final Pattern HARMLESS =
      Pattern.compile(
          "classifier_dropout|decoder_start_token_id|initializer_factor|is_encoder_decoder"
              + "|num_decoder_layers|output_past|is_gated_act|n_positions|task_specific_params");

  /// Reads a text encoder's config.json.
  ///
  /// @throws io.gatun.loaders.CheckpointException if a key is missing or asks for what Gatun does
  ///   not do
  public static T5Config of(JsonKeys keys) {
    keys.require("model_type", "t5", "t5");
    keys.require("feed_forward_proj", "gated-gelu", "relu");
    keys.require("dense_act_fn", "gelu_new", "gelu_new");
    var config =
        new T5Config(
            keys.count("vocab_size"),
            keys.count("d_model"),
            keys.count("d_kv"),
            keys.count("d_ff"),
            keys.count("num_layers"),
            keys.count("num_heads"),
            keys.count("relative_attention_num_buckets", 32),
            keys.count("relative_attention_max_distance", 128),
            (float) keys.number("layer_norm_epsilon", 1e-6),
            keys.integer("eos_token_id", 1),
            keys.integer("pad_token_id", 0));
    keys.requireAllRead(HARMLESS);
    return config;
  }

  /// What shapes the tensors, for messages.
  String reason() {
    return "d_model=%d, d_kv=%d, d_ff=%d, num_heads=%d, num_layers=%d, vocab_size=%d in config.json"
        .formatted(dModel, dKv, dFf, numHeads, numLayers, vocabSize);
  }
}
