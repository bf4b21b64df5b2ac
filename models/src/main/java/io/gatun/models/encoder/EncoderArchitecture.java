package io.gatun.models.encoder;

import io.gatun.models.decoder.Keys;
import io.gatun.models.nn.Weights;
import java.util.Map;
import java.util.Set;

/// How the models of one kind are put together.
interface EncoderArchitecture {
  /// What config.json's model_type and GGUF's general.architecture call models of this kind, with
  /// underscores.
  Set<String> types();

  /// What GGUF calls the modules: transformers' names, those of a layer without what stands before
  /// them, then GGUF's.
  Map<String, String> ggufNames();

  /// Puts a model together. Every key that it asks for counts as understood, every tensor as used.
  ///
  /// @throws io.gatun.loaders.CheckpointException if a key or tensor is missing, or asks for what
  ///   Gatun does not do
  TextEncoder build(Keys keys, Weights weights);
}
