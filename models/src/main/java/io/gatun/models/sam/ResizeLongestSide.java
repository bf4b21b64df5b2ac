package io.gatun.models.sam;

/// The size at which the model sees an image, and coordinates in it: the longer side becomes
/// `targetLength`, the other one keeps the proportion and is at least 1.
///
/// Source: `segment_anything/utils/transforms.py`.
///
/// @param targetLength the model's input size, 1024 in the published models
public record ResizeLongestSide(int targetLength) {
  /// The width of a resized image.
  public int width(int width, int height) {
    return scaled(width, width, height);
  }

  /// The height of a resized image.
  public int height(int width, int height) {
    return scaled(height, width, height);
  }

  private int scaled(int side, int width, int height) {
    return Math.max(1, (int) (side * (targetLength * 1.0 / Math.max(width, height)) + 0.5));
  }

  /// Points or corners in pixels of an image, x and y by turns, in pixels of the resized one.
  public float[] applyCoords(float[] coords, int width, int height) {
    double scaleX = width(width, height) / (double) width;
    double scaleY = height(width, height) / (double) height;
    var out = new float[coords.length];
    for (int i = 0; i < coords.length; i += 2) {
      out[i] = (float) (coords[i] * scaleX);
      out[i + 1] = (float) (coords[i + 1] * scaleY);
    }
    return out;
  }
}
