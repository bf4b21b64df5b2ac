package io.gatun.models.pipeline;

import io.gatun.models.t5.T5Config;
import io.gatun.models.t5.T5EncoderModel;
import io.gatun.models.text.Tokenizer;
import io.gatun.models.text.Tokenizers;
import io.gatun.tensor.ops.Functional;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.Consumer;

/// Prompts by T5's encoder.
final class T5Conditions {
  private final Tokenizer tokenizer;
  private final T5EncoderModel encoder;
  private final Consumer<String> notices;

  /// @param encoder the part that is the encoder: `text_encoder_2`
  /// @param tokenizer the part that cuts texts into tokens
  T5Conditions(PipelineParts parts, String encoder, String tokenizer) {
    notices = parts.notices();
    this.tokenizer = tokenizer(parts.files().folder(tokenizer));
    var config = T5Config.of(parts.files().config(encoder));
    this.encoder = new T5EncoderModel(config, parts.weights().apply(encoder, parts.once()));
  }

  /// @param path a folder, or a GGUF file with a tokenizer of its own
  private static Tokenizer tokenizer(Path path) {
    Path pieces = path.resolve("spiece.model");
    boolean json = Files.exists(path.resolve("tokenizer.json"));
    return Tokenizers.load(json || !Files.exists(pieces) ? path : pieces);
  }

  int width() {
    return encoder.config().dModel();
  }

  /// The states of a prompt's tokens and no others, for networks that do not look at padding.
  ///
  /// @param most the most tokens, the end included
  Condition unpadded(Functional f, String prompt, int most) {
    return encode(f, ids(prompt, most));
  }

  /// The states of a prompt's tokens and of padding, which sees and is seen.
  ///
  /// @param tokens how many they are to be, the end included
  Condition padded(Functional f, String prompt, int tokens) {
    int[] ids = ids(prompt, tokens);
    int[] all = Arrays.copyOf(ids, tokens);
    Arrays.fill(all, ids.length, tokens, encoder.config().padTokenId());
    return encode(f, all);
  }

  private Condition encode(Functional f, int[] ids) {
    try (var _ = f.scope()) {
      float[] states = f.toF32(encoder.forward(f, ids)).toFloats();
      return new Condition(states, ids.length, width(), null);
    }
  }

  /// A text's tokens and the end.
  private int[] ids(String prompt, int most) {
    int[] text = tokenizer.encode(prompt, false, false);
    int kept = Math.min(text.length, most - 1);
    if (kept < text.length) {
      notices.accept(
          "the prompt is longer than the %d tokens that the model reads; left out: \"%s\""
              .formatted(
                  most - 1, tokenizer.decode(Arrays.copyOfRange(text, kept, text.length), false)));
    }
    int[] ids = Arrays.copyOf(text, kept + 1);
    ids[kept] = encoder.config().eosTokenId();
    return ids;
  }
}
