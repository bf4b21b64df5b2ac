package io.gatun.models.image.webp;

import io.gatun.models.image.webp.Vp8Frame.Plane;
import io.gatun.models.image.webp.Vp8Header.Strength;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Smooths the edges between macroblocks, and between the blocks in them.
///
/// Source: RFC 6386, section 15. Pixels before an edge are p0, p1, ..., those behind it q0, q1, ...
final class Vp8LoopFilter {
  private final Plane[] planes;
  private final boolean simple;

  /// @param simple whether only luminance is smoothed, in the simpler way
  Vp8LoopFilter(Plane[] planes, boolean simple) {
    this.planes = planes;
    this.simple = simple;
  }

  /// Smooths a macroblock's left edge, its inner ones, the upper one, and the inner ones.
  void smooth(int row, int column, Strength strength, boolean inside) {
    for (int i = 0; i < (simple ? 1 : 3); i++) {
      int size = i == 0 ? 16 : 8;
      int stride = planes[i].stride();
      long at = (long) row * size * stride + column * size;
      edges(planes[i].bytes(), at, 1, stride, size, column > 0, inside, strength);
      edges(planes[i].bytes(), at, stride, 1, size, row > 0, inside, strength);
    }
  }

  /// @param across from pixel to pixel over the edge
  /// @param along from pixel to pixel beside it
  private void edges(
      MemorySegment p,
      long at,
      int across,
      int along,
      int size,
      boolean outer,
      boolean inside,
      Strength strength) {
    if (outer) {
      edge(p, at, across, along, size, true, strength);
    }
    for (int i = 4; inside && i < size; i += 4) {
      edge(p, at + (long) i * across, across, along, size, false, strength);
    }
  }

  private void edge(
      MemorySegment p,
      long start,
      int across,
      int along,
      int size,
      boolean outer,
      Strength strength) {
    int limit = 2 * (strength.limit() + (outer ? 4 : 0)) + 1;
    int interior = strength.interior();
    for (int i = 0; i < size; i++) {
      long at = start + (long) i * along;
      int p1 = u(p, at - 2L * across);
      int p0 = u(p, at - across);
      int q0 = u(p, at);
      int q1 = u(p, at + across);
      if (4 * Math.abs(p0 - q0) + Math.abs(p1 - q1) > limit) {
        continue;
      }
      if (simple) {
        smoothTwo(p, at, across, p1, p0, q0, q1);
        continue;
      }
      int p3 = u(p, at - 4L * across);
      int p2 = u(p, at - 3L * across);
      int q2 = u(p, at + 2L * across);
      int q3 = u(p, at + 3L * across);
      if (Math.abs(p3 - p2) > interior
          || Math.abs(p2 - p1) > interior
          || Math.abs(p1 - p0) > interior
          || Math.abs(q1 - q0) > interior
          || Math.abs(q2 - q1) > interior
          || Math.abs(q3 - q2) > interior) {
        continue;
      }
      int variance = strength.variance();
      if (Math.abs(p1 - p0) > variance || Math.abs(q1 - q0) > variance) {
        smoothTwo(p, at, across, p1, p0, q0, q1);
      } else if (outer) {
        int w = clamp(3 * (q0 - p0) + clamp(p1 - q1));
        put(p, at - 3L * across, p2 + (9 * w + 63 >> 7));
        put(p, at - 2L * across, p1 + (18 * w + 63 >> 7));
        put(p, at - across, p0 + (27 * w + 63 >> 7));
        put(p, at, q0 - (27 * w + 63 >> 7));
        put(p, at + across, q1 - (18 * w + 63 >> 7));
        put(p, at + 2L * across, q2 - (9 * w + 63 >> 7));
      } else {
        int w = 3 * (q0 - p0);
        int more = clamp(w + 4) >> 3;
        int half = more + 1 >> 1;
        put(p, at - 2L * across, p1 + half);
        put(p, at - across, p0 + (clamp(w + 3) >> 3));
        put(p, at, q0 - more);
        put(p, at + across, q1 - half);
      }
    }
  }

  private static void smoothTwo(
      MemorySegment p, long at, int across, int p1, int p0, int q0, int q1) {
    int w = 3 * (q0 - p0) + clamp(p1 - q1);
    put(p, at - across, p0 + (clamp(w + 3) >> 3));
    put(p, at, q0 - (clamp(w + 4) >> 3));
  }

  private static int clamp(int v) {
    return Math.clamp(v, -128, 127);
  }

  private static int u(MemorySegment p, long at) {
    return p.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
  }

  private static void put(MemorySegment p, long at, int value) {
    p.set(ValueLayout.JAVA_BYTE, at, (byte) Math.clamp(value, 0, 255));
  }
}
