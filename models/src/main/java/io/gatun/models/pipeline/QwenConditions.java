package io.gatun.models.pipeline;

import io.gatun.models.encoder.DecoderEncoder;
import io.gatun.models.encoder.Encoders;
import io.gatun.models.encoder.TokenBatch;
import io.gatun.tensor.ops.Functional;
import java.util.List;

/// Prompts by a language model, which reads each as a user's message.
final class QwenConditions {
  private final ChatPrompts prompts;
  private final DecoderEncoder model;

  QwenConditions(PipelineParts parts) {
    prompts = new ChatPrompts(parts.files().folder("tokenizer"), true, parts.notices());
    model = Encoders.decoder(parts.files().checkpoint("text_encoder"));
  }

  int width() {
    return model.hiddenSize();
  }

  int layers() {
    return model.layers();
  }

  /// The hidden states after `layer` layers.
  Condition states(Functional f, String prompt, int most, int layer) {
    int[] ids = prompts.ids(prompt, most);
    var states = new float[1][];
    var at = new int[1];
    try (var _ = f.scope()) {
      model.forward(
          f,
          TokenBatch.of(List.of(ids), null),
          x -> {
            if (at[0]++ == layer) {
              states[0] = x.toFloats();
            }
          });
    }
    return new Condition(states[0], ids.length, width(), null);
  }
}
