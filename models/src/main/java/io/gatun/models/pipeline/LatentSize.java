package io.gatun.models.pipeline;

/// The sizes of a batch of latents.
///
/// @param factor pixels of the image a side for one latent
public record LatentSize(int batch, int height, int width, int channels, int factor) {
  /// The numbers of one image.
  public int image() {
    return height * width * channels;
  }

  /// The numbers of all images.
  public int all() {
    return batch * image();
  }
}
