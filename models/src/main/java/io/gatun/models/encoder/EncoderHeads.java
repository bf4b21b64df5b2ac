package io.gatun.models.encoder;

import io.gatun.loaders.CheckpointException;
import io.gatun.models.decoder.Keys;
import io.gatun.models.decoder.RopeConfig;
import io.gatun.models.decoder.RotaryEmbedding;

/// The heads that share the hidden states' numbers.
///
/// @param hiddenSize D, a multiple of their count
record EncoderHeads(int count, int hiddenSize) {
  /// As the configuration says.
  ///
  /// @throws CheckpointException if the heads are not of one, even size
  static EncoderHeads of(Keys keys, String sizeKey, String headsKey) {
    int size = keys.count(sizeKey);
    int heads = keys.count(headsKey);
    if (size % heads != 0 || size / heads % 2 != 0) {
      throw new CheckpointException(
          "%s: %s %d and %s %d: need heads of equal, even size"
              .formatted(keys.where(), keys.shown(sizeKey), size, keys.shown(headsKey), heads));
    }
    return new EncoderHeads(heads, size);
  }

  /// How they turn positions.
  RotaryEmbedding rope(RopeConfig config) {
    return new RotaryEmbedding(config, config.dim(hiddenSize / count), false);
  }
}
