package io.gatun.tests.images;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.models.image.Image;
import io.gatun.tests.TestData;
import java.nio.file.Path;

/// The pictures that Pillow made (make_goldens.py beside them), and comparing.
public final class Pictures {
  private Pictures() {}

  static Path path(String name) {
    return TestData.ROOT.resolve("tests/src/test/resources/images").resolve(name);
  }

  static Image golden(String name) {
    return Image.read(path(name));
  }

  /// Compares all pixels, which may differ by `tolerance`.
  public static void assertSame(Image actual, Image expected, int tolerance) {
    assertEquals(expected.toString(), actual.toString());
    for (int y = 0; y < expected.height(); y++) {
      for (int x = 0; x < expected.width(); x++) {
        for (int c = 0; c < expected.channels(); c++) {
          int e = expected.get(x, y, c);
          int a = actual.get(x, y, c);
          int px = x;
          int py = y;
          int pc = c;
          assertTrue(
              Math.abs(e - a) <= tolerance,
              () -> "(%d, %d) channel %d is %d; need %d".formatted(px, py, pc, a, e));
        }
      }
    }
  }
}
