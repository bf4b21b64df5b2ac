package io.gatun.models.decoder;

import java.util.Map;
import java.util.Set;

/// How the models of one kind are put together from [SelfAttention], [FeedForward] and [Norm].
public interface Architecture {
  /// What config.json's model_type and GGUF's general.architecture call models of this kind.
  Set<String> types();

  /// What GGUF calls tensors that no table knows, or calls otherwise: Hugging Face's name within a
  /// layer, then GGUF's, both without `.weight`, or, where one has no such end, both whole.
  default Map<String, String> ggufNames() {
    return Map.of();
  }

  /// Puts a model together. Every key that it asks for counts as understood, every tensor as used;
  /// what is left over is an error afterwards.
  ///
  /// @throws io.gatun.loaders.CheckpointException if a key or tensor is missing, or asks for what
  ///   Gatun does not do
  Decoder build(Keys keys, DecoderWeights weights);
}
