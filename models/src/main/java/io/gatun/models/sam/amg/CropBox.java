package io.gatun.models.sam.amg;

import java.util.ArrayList;
import java.util.List;

/// The parts of an image that are looked at one by one.
///
/// Source: `generate_crop_boxes` in `segment_anything/utils/amg.py`.
///
/// @param box x0, y0, x1, y1; the last column and row do not belong to it
/// @param layer 0 the whole image, 1 its quarters, 2 its sixteenths, ...
record CropBox(int[] box, int layer) {
  /// The whole image, then 2^i x 2^i parts of it that overlap for each layer i.
  static List<CropBox> generate(int width, int height, int layers, double overlapRatio) {
    var crops = new ArrayList<CropBox>();
    crops.add(new CropBox(new int[] {0, 0, width, height}, 0));
    for (int layer = 1; layer <= layers; layer++) {
      int n = 1 << layer;
      int overlap = (int) (overlapRatio * Math.min(width, height) * (2.0 / n));
      int w = Math.ceilDiv(overlap * (n - 1) + width, n);
      int h = Math.ceilDiv(overlap * (n - 1) + height, n);
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
          int x0 = (w - overlap) * i;
          int y0 = (h - overlap) * j;
          int[] box = {x0, y0, Math.min(x0 + w, width), Math.min(y0 + h, height)};
          crops.add(new CropBox(box, layer));
        }
      }
    }
    return crops;
  }
}
