package io.gatun.tests.sam;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.image.Image;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Polygon;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// The lines around masks.
class PolygonTest {
  /// `#` is a pixel of the mask.
  private static Mask mask(String... rows) {
    int width = rows[0].length();
    var pixels = Arena.ofAuto().allocate((long) width * rows.length);
    for (int y = 0; y < rows.length; y++) {
      for (int x = 0; x < width; x++) {
        pixels.set(
            ValueLayout.JAVA_BYTE,
            (long) y * width + x,
            (byte) (rows[y].charAt(x) == '#' ? 255 : 0));
      }
    }
    return Mask.of(Image.of(width, rows.length, 1, pixels));
  }

  @Test
  void cornersLieBetweenPixels() {
    assertEquals(List.of(), mask("...", "...").polygons());
    var all = mask("###", "###").polygons();
    assertEquals(1, all.size());
    assertArrayEquals(new int[] {0, 0, 3, 0, 3, 2, 0, 2}, all.getFirst().outer());
    var bent = mask("....", ".##.", "..#.").polygons().getFirst();
    assertArrayEquals(new int[] {1, 1, 3, 1, 3, 3, 2, 3, 2, 2, 1, 2}, bent.outer());
    assertEquals("Polygon(6 corners, 0 holes)", bent.toString());
  }

  @Test
  void holesBelongToThePartAroundThem() {
    var all = mask("#####..", "#...#..", "#.#.#..", "#...#..", "#####.#").polygons();
    assertEquals(3, all.size());
    assertArrayEquals(new int[] {0, 0, 5, 0, 5, 5, 0, 5}, all.get(0).outer());
    assertEquals(1, all.get(0).holes().size());
    assertArrayEquals(new int[] {2, 3, 2, 2, 3, 2, 3, 3}, sorted(all.get(1).outer()));
    assertArrayEquals(new int[] {1, 4, 4, 4, 4, 1, 1, 1}, all.get(0).holes().getFirst());
    assertArrayEquals(new int[] {6, 4, 7, 4, 7, 5, 6, 5}, all.get(2).outer());
  }

  /// The same line, begun at its lower left corner.
  private static int[] sorted(int[] square) {
    return new int[] {
      square[6], square[7], square[0], square[1], square[2], square[3], square[4], square[5]
    };
  }

  @Test
  void pixelsThatTouchAtACornerAreApart() {
    assertEquals(2, mask("#.", ".#").polygons().size());
    // The hole is open to the outside at a corner: there is one line.
    var open = mask("###", "#.#", "##.").polygons();
    assertEquals(1, open.size());
    assertEquals(0, open.getFirst().holes().size());
  }

  /// Two holes each of which reaches around the other's end.
  @Test
  void holesWithinOneAnother() {
    var all =
        mask(
                "#########",
                "#.......#",
                "#.#####.#",
                "#.#...#.#",
                "#.###.#.#",
                "#.#...#.#",
                "#.#####.#",
                "#.#######",
                "#.......#",
                "#########")
            .polygons();
    assertEquals(1, all.size());
    assertEquals(2, all.getFirst().holes().size());
  }

  @Test
  void fillingThemGivesTheMask() {
    var random = new Random(4);
    for (int round = 0; round < 300; round++) {
      int width = 1 + random.nextInt(70);
      int height = 1 + random.nextInt(12);
      var rows = new String[height];
      for (int y = 0; y < height; y++) {
        var row = new StringBuilder();
        for (int x = 0; x < width; x++) {
          row.append(random.nextInt(10) < 6 ? '#' : '.');
        }
        rows[y] = row.toString();
      }
      var all = mask(rows).polygons();
      for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
          int within = 0;
          for (var polygon : all) {
            boolean in = crosses(polygon.outer(), x, y);
            for (int[] hole : polygon.holes()) {
              if (crosses(hole, x, y)) {
                assertTrue(in, "a hole lies outside of its part");
                in = false;
              }
            }
            within += in ? 1 : 0;
          }
          assertEquals(rows[y].charAt(x) == '#' ? 1 : 0, within, "%d, %d".formatted(x, y));
        }
      }
      all.forEach(PolygonTest::turnsEverywhere);
    }
  }

  /// Whether a line to the west from a pixel's centre crosses a ring an odd number of times.
  private static boolean crosses(int[] ring, int x, int y) {
    boolean odd = false;
    for (int i = 0; i < ring.length; i += 2) {
      int next = (i + 2) % ring.length;
      if (ring[i] == ring[next] && ring[i] <= x) {
        int top = Math.min(ring[i + 1], ring[next + 1]);
        int bottom = Math.max(ring[i + 1], ring[next + 1]);
        odd ^= top <= y && y < bottom;
      }
    }
    return odd;
  }

  private static void turnsEverywhere(Polygon polygon) {
    int[] ring = polygon.outer();
    for (int i = 0; i < ring.length; i += 2) {
      int next = (i + 2) % ring.length;
      int after = (i + 4) % ring.length;
      assertTrue(ring[i] == ring[next] ^ ring[i + 1] == ring[next + 1]);
      assertTrue(ring[i] == ring[next] ^ ring[next] == ring[after]);
    }
  }
}
