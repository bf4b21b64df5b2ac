package io.gatun.models.vae;

import io.gatun.models.nn.Weights;

/// FLUX.2's latents: squares of 2 x 2 of the autoencoder's are one with four times as many
/// channels, each of which is normalized by its mean and variance in training.
///
/// @param mean of each channel
/// @param deviation of each channel
@SuppressWarnings("ArrayRecordComponent") // never compared
record LatentPatches(float[] mean, float[] deviation) {
  static final int SIZE = 2;

  static LatentPatches of(AutoencoderKLConfig config, Weights weights) {
    int channels = SIZE * SIZE * config.latentChannels();
    float[] variance = weights.tensor("bn.running_var", channels).toFloats();
    for (int i = 0; i < channels; i++) {
      variance[i] = (float) Math.sqrt(variance[i] + config.batchNormEps());
    }
    return new LatentPatches(weights.tensor("bn.running_mean", channels).toFloats(), variance);
  }

  /// Latents (rows, columns, 4 L) as the autoencoder's (2 rows, 2 columns, L).
  float[] split(float[] latents, int rows, int columns) {
    return turned(latents, rows, columns, true);
  }

  /// The autoencoder's latents (2 rows, 2 columns, L) as (rows, columns, 4 L).
  float[] join(float[] z, int rows, int columns) {
    return turned(z, rows, columns, false);
  }

  private float[] turned(float[] from, int rows, int columns, boolean split) {
    int channels = mean.length / (SIZE * SIZE);
    var out = new float[from.length];
    for (int y = 0; y < rows * SIZE; y++) {
      for (int x = 0; x < columns * SIZE; x++) {
        for (int c = 0; c < channels; c++) {
          int channel = (c * SIZE + y % SIZE) * SIZE + x % SIZE;
          int patch = (y / SIZE * columns + x / SIZE) * mean.length + channel;
          int pixel = (y * columns * SIZE + x) * channels + c;
          if (split) {
            out[pixel] = from[patch] * deviation[channel] + mean[channel];
          } else {
            out[patch] = (from[pixel] - mean[channel]) / deviation[channel];
          }
        }
      }
    }
    return out;
  }
}
