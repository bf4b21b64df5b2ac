package io.gatun.models.sam;

import io.gatun.models.sam.config.SamConfig;

/// The size at which a model sees an image, and coordinates in it.
///
/// Source: `segment_anything/utils/transforms.py`; `sam2/utils/transforms.py`.
///
/// @param side of the model's square input, 1024 in the published models
/// @param keepsProportion whether the longer side of an image becomes that, as in SAM, and the
///   other one keeps the proportion; else both do, as in SAM 2 and EfficientSAM
public record Resize(int side, boolean keepsProportion) {
  /// SAM's.
  public static Resize longestSide(int side) {
    return new Resize(side, true);
  }

  /// A model's.
  public static Resize of(SamConfig config) {
    return new Resize(config.imgSize(), !config.stretches());
  }

  /// The width of a resized image.
  public int width(int width, int height) {
    return keepsProportion ? scaled(width, width, height) : side;
  }

  /// The height of a resized image.
  public int height(int width, int height) {
    return keepsProportion ? scaled(height, width, height) : side;
  }

  private int scaled(int length, int width, int height) {
    return Math.max(1, (int) (length * (side * 1.0 / Math.max(width, height)) + 0.5));
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

  /// Where the pixels of an image come from along one side, of masks of `low` pixels.
  ///
  /// @param filled the part of the model's input that the image filled
  Upscaling upscaling(int low, int filled, int size) {
    // SAM 2 and EfficientSAM do not make a mask of their input's size in between. The latter's code
    // interpolates bicubically, which moves edges by a part of a low-resolution pixel.
    return keepsProportion
        ? Upscaling.of(low, side, filled, size)
        : Upscaling.of(low, low, low, size);
  }
}
