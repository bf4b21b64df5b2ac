package io.gatun.models.encoder;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.JsonKeys;
import java.util.List;
import java.util.Map;

/// A GGUF file's metadata as the config.json that it was made from.
final class EncoderKeys {
  private static final Map<String, String> NAMES =
      Map.of(
          "embedding_length", "hidden_size",
          "feed_forward_length", "intermediate_size",
          "block_count", "num_hidden_layers",
          "attention.head_count", "num_attention_heads",
          "context_length", "max_position_embeddings",
          "attention.layer_norm_epsilon", "layer_norm_eps",
          "rope.freq_base", "rope_theta");

  private EncoderKeys() {}

  /// Keys that have no counterpart stay under their own names, and are unknown unless read.
  ///
  /// @throws CheckpointException if the file has no vocabulary
  static JsonKeys ofGguf(Map<String, Object> metadata, String where) {
    String architecture = String.valueOf(metadata.get("general.architecture"));
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put("model_type", architecture);
    metadata.forEach(
        (key, value) -> {
          if (key.startsWith(architecture + ".")) {
            String name = key.substring(architecture.length() + 1);
            put(json, NAMES.getOrDefault(name, name), value);
          }
        });
    if (!(metadata.get("tokenizer.ggml.tokens") instanceof List<?> tokens)) {
      throw new CheckpointException(where + ": no tokenizer.ggml.tokens; need the vocabulary");
    }
    json.put("vocab_size", tokens.size());
    Object types = metadata.get("tokenizer.ggml.token_type_count");
    json.put("type_vocab_size", types instanceof Number n ? n.intValue() : 1);
    return new JsonKeys(json, where);
  }

  private static void put(ObjectNode json, String name, Object value) {
    switch (value) {
      case Boolean flag -> json.put(name, flag);
      case Long number when number == (int) (long) number -> json.put(name, (int) (long) number);
      case Number number -> json.put(name, number.doubleValue());
      default -> json.put(name, value.toString());
    }
  }
}
