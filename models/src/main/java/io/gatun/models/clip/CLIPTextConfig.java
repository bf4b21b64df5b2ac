package io.gatun.models.clip;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import io.gatun.tensor.ops.Activation;

/// The hyper-parameters of CLIP's text encoder; components are named as in config.json.
///
/// @param eosTokenId the end token, whose row is the text's summary; 2, which old configurations
///   say wrongly, stands for the greatest id of a text
public record CLIPTextConfig(
    int vocabSize,
    int hiddenSize,
    int intermediateSize,
    int numHiddenLayers,
    int numAttentionHeads,
    int maxPositionEmbeddings,
    Activation hiddenAct,
    float layerNormEps,
    int projectionDim,
    int eosTokenId) {
  /// Reads a text encoder's config.json.
  ///
  /// @throws CheckpointException if a key is missing or asks for what Gatun does not do
  public static CLIPTextConfig of(JsonKeys keys) {
    keys.require("model_type", "clip_text_model", "clip_text_model");
    var config =
        new CLIPTextConfig(
            keys.count("vocab_size"),
            keys.count("hidden_size"),
            keys.count("intermediate_size"),
            keys.count("num_hidden_layers"),
            keys.count("num_attention_heads"),
            keys.count("max_position_embeddings"),
            activation(keys),
            (float) keys.number("layer_norm_eps", 1e-5),
            keys.integer("projection_dim", 512),
            keys.integer("eos_token_id", 49407));
    keys.requireAllRead();
    return config;
  }

  /// Reads the section `text_config` of a model of both encoders, in which what is as in the model
  /// first published is left out.
  ///
  /// @param projectionDim of the model
  /// @throws CheckpointException if it asks for what Gatun does not do
  public static CLIPTextConfig section(JsonKeys keys, int projectionDim) {
    return new CLIPTextConfig(
        keys.count("vocab_size", 49408),
        keys.count("hidden_size", 512),
        keys.count("intermediate_size", 2048),
        keys.count("num_hidden_layers", 12),
        keys.count("num_attention_heads", 8),
        keys.count("max_position_embeddings", 77),
        activation(keys),
        (float) keys.number("layer_norm_eps", 1e-5),
        projectionDim,
        keys.integer("eos_token_id", 49407));
  }

  static Activation activation(JsonKeys keys) {
    String name = keys.text("hidden_act", "quick_gelu");
    return switch (name) {
      case "quick_gelu" -> Activation.QUICK_GELU;
      case "gelu" -> Activation.GELU;
      default ->
          throw new CheckpointException(
              "%s: \"hidden_act\" is \"%s\"; Gatun runs quick_gelu and gelu"
                  .formatted(keys.where(), name));
    };
  }

  public CLIPTextConfig {
    if (hiddenSize % numAttentionHeads != 0) {
      throw new CheckpointException(
          "hidden_size %d is not a multiple of num_attention_heads %d"
              .formatted(hiddenSize, numAttentionHeads));
    }
  }

  /// What shapes the tensors, for messages.
  String reason() {
    return "hidden_size=%d, intermediate_size=%d, num_hidden_layers=%d, vocab_size=%d, max_position_embeddings=%d, projection_dim=%d in config.json"
        .formatted(
            hiddenSize,
            intermediateSize,
            numHiddenLayers,
            vocabSize,
            maxPositionEmbeddings,
            projectionDim);
  }
}
