package io.gatun.models.vae;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;

/// Turns images into the latents that a network works on, and back.
///
/// Images are (B, H, W, 3) with values -1..1, F32. The network's latents are (rows, columns,
/// [#latentChannels]), in the scale that it was trained on.
public interface Autoencoder {
  /// Pixels a side for one of the network's latents.
  int latentFactor();

  /// Channels of the network's latents.
  int latentChannels();

  /// The image (1, H, W, 3) of the network's latents, about -1..1, not clamped, in the workspace.
  ///
  /// @param tile the most rows and columns of latents that are decoded at once, for images that
  ///   would need too much memory as a whole; 0 for all
  Tensor decode(Functional f, float[] latents, int rows, int columns, int tile);

  /// About how many numbers the workspace holds while so many pixels are decoded at once.
  long workNumbers(long pixels);

  /// The distribution of an image's latents in the autoencoder's own scale.
  ///
  /// @throws IllegalArgumentException if its sides are not multiples of what is one latent
  DiagonalGaussian encode(Functional f, Tensor image);

  /// The network's latents of the autoencoder's.
  float[] forNetwork(float[] z, int rows, int columns);
}
