package io.gatun.models.sam.export;

import java.util.List;

/// The objects of an image.
///
/// @param fileName of the image, as the annotations are to name it
public record ImageMasks(String fileName, int width, int height, List<LabelledMask> objects) {
  public ImageMasks {
    objects = List.copyOf(objects);
    objects.forEach(o -> o.mask().checkSize(width, height));
  }
}
