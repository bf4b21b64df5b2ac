package io.gatun.models.sam;

import java.util.List;

/// A part of a mask that hangs together by its pixels' edges, as the lines around it. They run
/// between the pixels: the point (x, y) is the top left corner of the pixel x, y, and the bottom
/// right corner of an image is (width, height). Filling them gives back the very same pixels.
///
/// @param outer the line around it, clockwise as one sees it: x and y of its corners by turns, each
///   corner once
/// @param holes the lines around its holes, counter-clockwise
public record Polygon(int[] outer, List<int[]> holes) {
  /// `Polygon(12 corners, 1 hole)`.
  @Override
  public String toString() {
    return "Polygon(%d corners, %d hole%s)"
        .formatted(outer.length / 2, holes.size(), holes.size() == 1 ? "" : "s");
  }
}
