package io.gatun.models.sam.coco;

import io.gatun.models.sam.Mask;

/// The point that the experiment asks at for an annotation.
///
/// Source: `_get_center_point` in segment-anything-fast's `experiments/data.py`.
///
/// @param x in pixels
/// @param y in pixels
/// @param rule how it was found
public record PromptPoint(int x, int y, Rule rule) {
  /// How a point was found.
  public enum Rule {
    /// The mean of the mask's pixels, which is one of them.
    CENTRE_OF_MASS,
    /// The pixel whose smallest distance to the mask's border, up, right, down and left, is
    /// largest.
    FARTHEST_FROM_BORDER
  }

  /// Where the search leaves a row, as it is far enough inside.
  private static final int FAR = 20;

  /// The point for a mask.
  ///
  /// @throws IllegalArgumentException if the mask is empty
  public static PromptPoint of(Mask mask) {
    long n = 0;
    long sumX = 0;
    long sumY = 0;
    for (int y = 0; y < mask.height(); y++) {
      for (int x = 0; x < mask.width(); x++) {
        if (mask.get(x, y)) {
          n++;
          sumX += x;
          sumY += y;
        }
      }
    }
    if (n == 0) {
      throw new IllegalArgumentException("an empty mask has no point");
    }
    int x = (int) Math.rint((double) sumX / n);
    int y = (int) Math.rint((double) sumY / n);
    return mask.get(x, y) ? new PromptPoint(x, y, Rule.CENTRE_OF_MASS) : farthestFromBorder(mask);
  }

  private static PromptPoint farthestFromBorder(Mask mask) {
    int width = mask.width();
    int[][] down = new int[mask.height() + 1][width];
    for (int y = mask.height() - 1; y >= 0; y--) {
      for (int x = 0; x < width; x++) {
        down[y][x] = mask.get(x, y) ? down[y + 1][x] + 1 : 0;
      }
    }
    var up = new int[width];
    int farthest = 0;
    PromptPoint point = null;
    for (int y = 0; y < mask.height(); y++) {
      int left = 0;
      boolean search = true;
      for (int x = 0; x < width; x++) {
        up[x] = mask.get(x, y) ? up[x] + 1 : 0;
        left = mask.get(x, y) ? left + 1 : 0;
        if (left > 0 && search) {
          int distance = Math.min(Math.min(up[x], down[y][x]), left);
          distance = Math.min(distance, right(mask, x, y, distance));
          if (distance > farthest) {
            farthest = distance;
            point = new PromptPoint(x, y, Rule.FARTHEST_FROM_BORDER);
          }
          search = farthest <= FAR;
        }
      }
    }
    return point;
  }

  /// The pixels of the mask from `x` on to the right, at most `enough`.
  private static int right(Mask mask, int x, int y, int enough) {
    int n = 0;
    while (n < enough && x + n < mask.width() && mask.get(x + n, y)) {
      n++;
    }
    return n;
  }
}
