package io.gatun.models.sam;

import io.gatun.models.image.Image;
import java.util.Map;

/// What finds masks in images: a network, seen from the code that prompts it.
@FunctionalInterface
public interface MaskPredictor {
  /// Looks at an image: resizes it to the model's input ([Resize]), normalizes it, pads it, and
  /// runs the image encoder.
  EncodedImage encode(Image image);

  /// Parameters of the mask generator that suit the network, by the reference's names; those that
  /// are not there are the reference's, which suit the published models.
  default Map<String, Double> maskGeneratorDefaults() {
    return Map.of();
  }
}
