package io.gatun.models.sam.export;

import io.gatun.models.sam.Polygon;
import java.util.List;

/// Lines around parts of masks for formats that have one line and no holes: what belongs together
/// is joined by a bridge that has no width, so that filling the line gives the same pixels.
final class Rings {
  private Rings() {}

  /// A part with its holes as one line, x and y by turns.
  static int[] of(Polygon part) {
    int[] ring = part.outer();
    for (int[] hole : part.holes()) {
      ring = joined(ring, hole);
    }
    return ring;
  }

  /// All parts of a mask as one line; empty if there are none.
  static int[] of(List<Polygon> parts) {
    var ring = new int[0];
    for (var part : parts) {
      ring = ring.length == 0 ? of(part) : joined(ring, of(part));
    }
    return ring;
  }

  /// Goes along `a` to where `b` is nearest, there, around `b`, and back.
  private static int[] joined(int[] a, int[] b) {
    int from = 0;
    int to = 0;
    long nearest = Long.MAX_VALUE;
    for (int i = 0; i < a.length; i += 2) {
      for (int j = 0; j < b.length; j += 2) {
        long dx = a[i] - b[j];
        long dy = a[i + 1] - b[j + 1];
        long distance = dx * dx + dy * dy;
        if (distance < nearest) {
          nearest = distance;
          from = i;
          to = j;
        }
      }
    }
    var out = new int[a.length + b.length + 4];
    int n = 0;
    System.arraycopy(a, 0, out, 0, from + 2);
    n += from + 2;
    System.arraycopy(b, to, out, n, b.length - to);
    n += b.length - to;
    System.arraycopy(b, 0, out, n, to + 2);
    n += to + 2;
    System.arraycopy(a, from, out, n, a.length - from);
    return out;
  }
}
