package io.gatun.models.sam.coco;

import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Rle;
import java.util.List;

/// An object in an image.
///
/// @param polygons around it, x and y by turns; none where there are run lengths
/// @param rle its run lengths, or null
public record CocoAnnotation(
    long id, long imageId, long categoryId, List<double[]> polygons, Rle rle) {
  /// The object's pixels.
  ///
  /// @throws IllegalArgumentException if the annotation does not fit the image
  public Mask mask(CocoImage image) {
    try {
      if (rle == null) {
        return Mask.ofPolygons(image.width(), image.height(), polygons);
      }
      if (rle.width() != image.width() || rle.height() != image.height()) {
        throw new IllegalArgumentException(
            "%s is not for an image of %d x %d".formatted(rle, image.width(), image.height()));
      }
      return rle.toMask(Float.NaN);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "annotation %d of %s: %s".formatted(id, image.fileName(), e.getMessage()), e);
    }
  }
}
