package io.gatun.models.decoder;

import java.util.Map;
import java.util.regex.Pattern;

/// Whether a checkpoint is the model that its configuration describes: it has what keys promise,
/// and nothing that has no place.
final class Completeness {
  /// The rotary frequencies, which follow from the configuration, which old conversions keep; and
  /// Qwen's layers that guess further tokens ahead.
  private static final String LEFTOVERS =
      "(model\\.layers\\.\\d+\\.self_attn|model|layers\\.\\d+\\.attention\\.inner_attention)"
          + "\\.(rotary_emb|rope)\\.(inv_freq|freqs)$"
          + "|rope\\.freqs$|mtp\\.|blk\\.\\d+\\.(attn_rot_embd|rope_freqs)(\\.weight)?$";

  /// What sees and hears, in a model that does more than to write.
  private static final String OTHER_PARTS =
      "|(model\\.)?(vision_tower|visual|vision_model|multi_modal_projector|audio_tower"
          + "|embed_vision|embed_audio)\\.";

  /// Layers behind the last, which guess further tokens ahead: all known models have one.
  private static final int MAX_DRAFT = 16;

  private Completeness() {}

  /// What no part of the model reads, and may be there all the same.
  static Pattern leftovers(TensorNames names, Keys keys) {
    var leftovers = new StringBuilder(LEFTOVERS);
    if (names.isPart()) {
      leftovers.append(OTHER_PARTS);
    }
    int first = keys.layers();
    int draft = Math.min(MAX_DRAFT, keys.countOrNone("num_nextn_predict_layers"));
    for (int i = 0; i < draft; i++) {
      String norm = names.name("model.layers.%d.input_layernorm.weight".formatted(first + i));
      leftovers.append('|').append(Pattern.quote(norm.replaceFirst("[^.]+\\.weight$", "")));
    }
    return Pattern.compile(leftovers.toString());
  }

  /// Asks for the tensors that keys of config.json promise: without them another model would run.
  ///
  /// @throws io.gatun.loaders.CheckpointException if one is missing
  static void requirePromised(Keys keys, DecoderWeights weights) {
    var json = keys.json();
    boolean untied = !json.path("tie_word_embeddings").asBoolean(true);
    weights.requirePromised(untied, "tie_word_embeddings", false, "lm_head.weight");
    for (var entry :
        Map.of("attention_bias", "self_attn.q_proj.bias", "mlp_bias", "mlp.up_proj.bias")
            .entrySet()) {
      boolean biased = json.path(entry.getKey()).asBoolean(false);
      weights.requirePromised(biased, entry.getKey(), true, "model.layers.0." + entry.getValue());
    }
  }
}
