package io.gatun.models.sam.amg;

import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Rle;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A mask that the automatic mask generator found.
///
/// @param segmentation the mask; `toMask` unpacks it, `compressed` gives it in COCO's form
/// @param bbox the box around it: x, y, width, height
/// @param predictedIou how good the model thinks that it is
/// @param pointCoords the point that it was asked for, x and y in pixels of the image
/// @param stabilityScore how little it changes with the threshold, 0 to 1
/// @param cropBox the part of the image that it was found in: x, y, width, height
public record MaskAnnotation(
    Rle segmentation,
    int[] bbox,
    float predictedIou,
    double[] pointCoords,
    float stabilityScore,
    int[] cropBox) {
  /// The number of the mask's pixels.
  public int area() {
    return segmentation.area();
  }

  /// The mask, with the predicted IoU as its score.
  public Mask mask() {
    return segmentation.toMask(predictedIou);
  }

  /// The reference's record, ready to become JSON, with the mask in COCO's compressed run lengths
  /// or as numbers.
  public Map<String, Object> toMap(boolean compressed) {
    var map = new LinkedHashMap<String, Object>();
    map.put("segmentation", segmentation.toMap(compressed));
    map.put("area", area());
    map.put("bbox", bbox);
    map.put("predicted_iou", predictedIou);
    map.put("point_coords", List.of(pointCoords));
    map.put("stability_score", stabilityScore);
    map.put("crop_box", cropBox);
    return map;
  }
}
