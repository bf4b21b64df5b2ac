package io.gatun.models.pipeline;

/// The sizes of a batch of latents.
///
/// @param factor pixels of the image a side for one latent
public record LatentSize(int batch, int height, int width, int channels, int factor) {
  /// So many times as high and wide.
  public LatentSize times(double scale) {
    int rows = (int) Math.round(height * scale);
    return new LatentSize(batch, rows, (int) Math.round(width * scale), channels, factor);
  }

  /// The pixels of one image.
  public long pixels() {
    return (long) height * factor * width * factor;
  }

  /// The numbers of one image.
  public int image() {
    return height * width * channels;
  }

  /// The numbers of all images.
  public int all() {
    return batch * image();
  }
}
