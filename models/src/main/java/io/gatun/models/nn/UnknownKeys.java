package io.gatun.models.nn;

import io.gatun.loaders.CheckpointException;
import java.util.List;
import java.util.regex.Pattern;

/// What becomes of the keys of a configuration that no code asked for: those that are known to
/// change no result pass, and so do those that are off; any other is an error, as the model would
/// compute something else than its makers meant, without a word.
public final class UnknownKeys {
  /// What transformers and diffusers write into every config.json and what people add: provenance,
  /// types, how the model is trained and how texts are sampled.
  private static final Pattern HARMLESS =
      Pattern.compile(
          "_.*|architectures|auto_map|torch_?dtype|dtype|model_type|transformers(_js|\\.js)?_.*"
              + "|(adapter_)?transformers_version|name_or_path|tokenizer_class|license|unsloth_.*"
              + "|.*dropout(_.*)?|.*drop(_rate|_prob)?|initializer_.*|.*init_(range|std|method)|use_cache"
              + "|tie_word_embeddings|pretraining_tp|gradient_checkpointing|attn_implementation"
              + "|use_flash_.*|use_bfloat16|torchscript|keys_to_ignore_.*"
              + "|.*_token(_id|_ids|_index)?|is_matryoshka|matryoshka_dimensions|.*_(aux|z)_loss_coef|router_jitter_noise"
              + "|output_(attentions|hidden_states|router_logits|scores)|return_dict(_.*)?"
              + "|id2label|label2id|num_labels|problem_type|finetuning_task|task_specific_params"
              + "|prefix|tie_encoder_decoder|cross_attention_hidden_size|chunk_size_feed_forward"
              + "|max_length|min_length|max_new_tokens|do_sample|temperature|top_[kp]|typical_p"
              + "|(encoder_)?(no_repeat_ngram_size|repetition_penalty)|length_penalty"
              + "|diversity_penalty|num_beams|num_beam_groups|num_return_sequences|early_stopping"
              + "|bad_words_ids|(begin_)?suppress_tokens|remove_invalid_values"
              + "|(model_)?max_seq(uence)?_len(gth)?|seq_length|model_max_length");

  private static final int MAX_SHOWN = 100;

  private UnknownKeys() {}

  /// Whether no model's results depend on the key.
  static boolean isHarmless(String key) {
    return HARMLESS.matcher(key).matches();
  }

  /// A value, for messages.
  public static String shown(Object value) {
    String text = value.toString();
    return text.length() <= MAX_SHOWN ? text : text.substring(0, MAX_SHOWN) + "...";
  }

  /// A key with its value, for messages.
  public static String shown(String key, Object value) {
    return "\"%s\": %s".formatted(key, shown(value));
  }

  /// Refuses keys, if there are any.
  ///
  /// @param unknown keys with their values
  /// @throws CheckpointException if there are any
  public static void refuse(String where, List<String> unknown) {
    if (!unknown.isEmpty()) {
      throw new CheckpointException(
          "%s: Gatun does not know %s, which may change what the model computes. If it does not, remove it from a copy of the file"
              .formatted(where, String.join(", ", unknown)));
    }
  }
}
