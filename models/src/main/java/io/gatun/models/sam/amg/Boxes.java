package io.gatun.models.sam.amg;

import java.util.stream.IntStream;

/// Sums with boxes x0, y0, x1, y1.
///
/// Source: `segment_anything/utils/amg.py`; `nms` of torchvision.
final class Boxes {
  /// How near to a crop's edge a box is cut off by it, in pixels.
  private static final int NEAR = 20;

  private Boxes() {}

  static int[] toXywh(int[] box) {
    return new int[] {box[0], box[1], box[2] - box[0], box[3] - box[1]};
  }

  /// A crop's box in the coordinates of the whole image.
  static int[] uncrop(int[] box, int[] crop) {
    return new int[] {box[0] + crop[0], box[1] + crop[1], box[2] + crop[0], box[3] + crop[1]};
  }

  static long area(int[] box) {
    return (long) (box[2] - box[0]) * (box[3] - box[1]);
  }

  /// Whether an edge of the box, given in the crop's coordinates, lies within 20 pixels of the
  /// crop's and not of the image's.
  static boolean isNearCropEdge(int[] box, int[] crop, int width, int height) {
    int[] whole = uncrop(box, crop);
    int[] image = {0, 0, width, height};
    for (int i = 0; i < 4; i++) {
      if (Math.abs(whole[i] - crop[i]) <= NEAR && Math.abs(whole[i] - image[i]) > NEAR) {
        return true;
      }
    }
    return false;
  }

  /// Non-maximum suppression: goes through the boxes by falling score (the earlier one first where
  /// scores are equal) and drops those that overlap a kept one by more than `threshold`.
  ///
  /// @param boxes n boxes
  /// @param scores (n)
  /// @param threshold the most intersection over union
  /// @return the kept ones' indices by falling score
  static int[] nms(int[][] boxes, float[] scores, float threshold) {
    int[] order =
        IntStream.range(0, boxes.length)
            .boxed()
            .sorted((a, b) -> Float.compare(scores[b], scores[a]))
            .mapToInt(Integer::intValue)
            .toArray();
    var kept = new int[boxes.length];
    int n = 0;
    for (int candidate : order) {
      boolean keep = true;
      for (int i = 0; i < n && keep; i++) {
        // NaN, for two boxes without area, keeps.
        keep = !(iou(boxes[kept[i]], boxes[candidate]) > threshold);
      }
      if (keep) {
        kept[n++] = candidate;
      }
    }
    return IntStream.of(kept).limit(n).toArray();
  }

  private static float iou(int[] a, int[] b) {
    float width = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]));
    float height = Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
    float both = width * height;
    return both / (area(a) + (float) area(b) - both);
  }
}
