package io.gatun.models.sam.config;

/// The hyper-parameters of an image encoder.
public sealed interface ImageEncoderConfig permits HieraConfig, TinyViTConfig, ViTConfig {
  /// Blocks.
  int depth();

  /// Channels of the first block's tokens.
  int embedDim();

  /// How many pixels, along a side, a token of the embedding stands for.
  int patchSize();

  /// What the side of the input needs to be a multiple of.
  default int sizeStep() {
    return patchSize();
  }

  /// The side of the input that the model was made for.
  int trainedSize();
}
