package io.gatun.models.sam;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Follows the lines between a mask's pixels and the others, with the mask on the right hand.
final class Outlines {
  private static final int EAST = 0;
  private static final int SOUTH = 1;
  private static final int NORTH = 3;
  private static final int[] DX = {1, 0, -1, 0};
  private static final int[] DY = {0, 1, 0, -1};

  /// A closed line.
  private static final class Ring {
    int[] corners = new int[16];
    int n;

    /// Twice the area within, negative for a hole.
    long area;

    /// A pixel of the mask just to the west of the hole's westernmost column.
    int westX = Integer.MAX_VALUE;

    int westY;

    void add(int x, int y) {
      if (n == corners.length) {
        corners = Arrays.copyOf(corners, 2 * n);
      }
      corners[n++] = x;
      corners[n++] = y;
    }

    int[] corners() {
      return Arrays.copyOf(corners, n);
    }
  }

  private final Mask mask;
  private final int width;

  /// Upper edges of pixels that a ring has passed.
  private final BitSet passed;

  /// Which ring passes a pixel's western edge.
  private final Map<Long, Ring> western = new HashMap<>();

  private Outlines(Mask mask) {
    this.mask = mask;
    width = mask.width();
    passed = new BitSet();
  }

  /// The mask's parts, from the top, each with its holes.
  static List<Polygon> of(Mask mask) {
    return new Outlines(mask).polygons();
  }

  private List<Polygon> polygons() {
    var rings = new ArrayList<Ring>();
    for (int y = 0; y < mask.height(); y++) {
      for (int x = 0; x < width; x++) {
        // Each ring runs eastwards somewhere.
        if (isIn(x, y) && !isIn(x, y - 1) && !passed.get(y * width + x)) {
          rings.add(follow(x, y));
        }
      }
    }
    var holes = new HashMap<Ring, List<int[]>>();
    for (var ring : rings) {
      if (ring.area > 0) {
        holes.put(ring, new ArrayList<>());
      }
    }
    for (var ring : rings) {
      if (ring.area < 0) {
        holes.get(around(ring)).add(ring.corners());
      }
    }
    return rings.stream()
        .filter(ring -> ring.area > 0)
        .map(ring -> new Polygon(ring.corners(), List.copyOf(holes.get(ring))))
        .toList();
  }

  private boolean isIn(int x, int y) {
    return x >= 0 && y >= 0 && x < width && y < mask.height() && mask.get(x, y);
  }

  private Ring follow(int startX, int startY) {
    var ring = new Ring();
    int x = startX;
    int y = startY;
    int heading = EAST;
    ring.add(x, y);
    do {
      switch (heading) {
        case EAST -> passed.set(y * width + x);
        case NORTH -> western.put((long) (y - 1) * width + x, ring);
        case SOUTH -> {
          if (x - 1 < ring.westX) {
            ring.westX = x - 1;
            ring.westY = y;
          }
        }
        default -> {}
      }
      int nextX = x + DX[heading];
      int nextY = y + DY[heading];
      ring.area += (long) x * nextY - (long) nextX * y;
      x = nextX;
      y = nextY;
      int turned = turn(x, y, heading);
      if (turned != heading && (x != startX || y != startY || turned != EAST)) {
        ring.add(x, y);
      }
      heading = turned;
    } while (x != startX || y != startY || heading != EAST);
    return ring;
  }

  /// Where it goes on from a corner: two pixels that touch there alone do not hang together.
  private int turn(int x, int y, int heading) {
    // The pixels ahead lie around the corner: those to the right and to the left of the heading.
    int right = (heading + 1) & 3;
    int aheadX = x + Math.min(0, DX[heading] + DX[right]);
    int aheadY = y + Math.min(0, DY[heading] + DY[right]);
    if (!isIn(aheadX, aheadY)) {
      return right;
    }
    return isIn(aheadX - DX[right], aheadY - DY[right]) ? (heading + 3) & 3 : heading;
  }

  /// The outer ring of the part that a hole is in: what bounds the row of pixels to its west is
  /// that, or a hole that reaches further west.
  private Ring around(Ring hole) {
    var ring = hole;
    while (ring.area < 0) {
      int x = ring.westX;
      while (isIn(x - 1, ring.westY)) {
        x--;
      }
      ring = western.get((long) ring.westY * width + x);
    }
    return ring;
  }
}
