package io.gatun.models.sam;

import io.gatun.models.image.Image;

/// What finds masks in images: a network, seen from the code that prompts it.
@FunctionalInterface
public interface MaskPredictor {
  /// Looks at an image: resizes it to the model's input ([ResizeLongestSide]), normalizes it, pads
  /// it, and runs the image encoder.
  EncodedImage encode(Image image);
}
