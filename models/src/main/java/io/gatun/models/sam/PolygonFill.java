package io.gatun.models.sam;

import java.util.Arrays;
import java.util.List;

/// The pixels inside polygons, as COCO counts them.
///
/// Source: `rleFrPoly` of pycocotools. The outline is drawn on a grid five times as fine; where it
/// crosses the middle of a column of pixels, that column changes between outside and inside.
final class PolygonFill {
  private static final int SCALE = 5;

  /// How many times an image's side a corner may lie away from it.
  private static final int FARTHEST = 16;

  private final int width;
  private final int height;

  // Pixels, column by column, from which on inside and outside are exchanged.
  private int crossings;
  private int[] places = new int[64];

  // The outline's last place on the fine grid.
  private boolean begun;
  private int lastX;
  private int lastY;

  private PolygonFill(int width, int height) {
    this.width = width;
    this.height = height;
  }

  /// @param polygons x and y by turns, in pixels
  static Mask union(int width, int height, List<double[]> polygons) {
    if (polygons.isEmpty()) {
      throw new IllegalArgumentException("a mask of no polygons; need at least one");
    }
    var union = new long[height * BitRows.stride(width)];
    for (double[] polygon : polygons) {
      check(polygon, width, height);
      long[] words = new PolygonFill(width, height).fill(polygon).words();
      for (int i = 0; i < union.length; i++) {
        union[i] |= words[i];
      }
    }
    return new Mask(width, height, Float.NaN, union);
  }

  private static void check(double[] polygon, int width, int height) {
    if (polygon.length < 6 || polygon.length % 2 != 0) {
      throw new IllegalArgumentException(
          "a polygon of %d numbers; need x and y of at least 3 corners".formatted(polygon.length));
    }
    double limit = (double) FARTHEST * Math.max(width, height);
    for (double v : polygon) {
      if (!(Math.abs(v) <= limit)) {
        throw new IllegalArgumentException(
            "a polygon has a corner at %s, far outside an image of %d x %d pixels"
                .formatted(v, width, height));
      }
    }
  }

  private Mask fill(double[] polygon) {
    int n = polygon.length;
    for (int i = 0; i < n; i += 2) {
      edge(
          fine(polygon[i]),
          fine(polygon[i + 1]),
          fine(polygon[(i + 2) % n]),
          fine(polygon[(i + 3) % n]));
    }
    Arrays.sort(places, 0, crossings);
    var counts = new int[crossings + 1];
    int at = 0;
    for (int i = 0; i < crossings; i++) {
      counts[i] = places[i] - at;
      at = places[i];
    }
    counts[crossings] = width * height - at;
    return new Rle(width, height, counts).toMask(Float.NaN);
  }

  private static int fine(double v) {
    return (int) (SCALE * v + 0.5);
  }

  /// Goes along an edge, always from its lower coordinate, so that it is the same both ways.
  private void edge(int x0, int y0, int x1, int y1) {
    int dx = Math.abs(x1 - x0);
    int dy = Math.abs(y1 - y0);
    int steps = Math.max(dx, dy);
    boolean flat = dx >= dy;
    boolean back = flat ? x0 > x1 : y0 > y1;
    int fromX = back ? x1 : x0;
    int fromY = back ? y1 : y0;
    int toX = back ? x0 : x1;
    int toY = back ? y0 : y1;
    double slope = steps == 0 ? 0 : (double) (flat ? toY - fromY : toX - fromX) / steps;
    for (int i = 0; i <= steps; i++) {
      int t = back ? steps - i : i;
      if (flat) {
        visit(fromX + t, (int) (fromY + slope * t + 0.5));
      } else {
        visit((int) (fromX + slope * t + 0.5), fromY + t);
      }
    }
  }

  private void visit(int x, int y) {
    if (begun && x != lastX) {
      cross(lastX < x ? x - 1 : x, Math.min(y, lastY));
    }
    begun = true;
    lastX = x;
    lastY = y;
  }

  /// The outline passes the fine column `x` at `y`: a crossing if that is the middle of a pixel.
  private void cross(int x, int y) {
    if (Math.floorMod(x, SCALE) != SCALE / 2) {
      return;
    }
    int column = Math.floorDiv(x, SCALE);
    if (column < 0 || column >= width) {
      return;
    }
    double row = Math.ceil(Math.clamp((y + 0.5) / SCALE - 0.5, 0, height));
    if (crossings == places.length) {
      places = Arrays.copyOf(places, 2 * crossings);
    }
    places[crossings++] = column * height + (int) row;
  }
}
