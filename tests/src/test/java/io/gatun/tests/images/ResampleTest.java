package io.gatun.tests.images;

import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gatun.models.image.Filter;
import io.gatun.models.image.Image;
import io.gatun.tensor.runtime.Workers;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// Resizing gives Pillow's pixels, bit for bit.
class ResampleTest {
  private static final int[][] SIZES = {{64, 40}, {31, 61}, {97, 20}, {110, 70}, {1, 1}, {13, 90}};

  private final Image source = Pictures.golden("resize.png");

  @ParameterizedTest
  @EnumSource(Filter.class)
  void isPillows(Filter filter) {
    for (int[] size : SIZES) {
      Image expected = Pictures.golden("resize-%s-%dx%d.png".formatted(filter, size[0], size[1]));
      Pictures.assertSame(source.resize(size[0], size[1], filter, null), expected, 0);
    }
  }

  @Test
  void isPillowsInGrey() {
    Image expected = Pictures.golden("resize-grey-40x25.png");
    Pictures.assertSame(Pictures.golden("resize-grey.png").resize(40, 25), expected, 0);
  }

  @Test
  void anImageOfThatSizeStaysAsItIs() {
    Pictures.assertSame(source.resize(97, 61), source, 0);
  }

  @ParameterizedTest
  @CsvSource({"64,40", "110,70", "97,20", "31,61"})
  void threadsChangeNothing(int width, int height) {
    try (var workers = new Workers(3)) {
      Pictures.assertSame(
          source.resize(width, height, Filter.BILINEAR, workers), source.resize(width, height), 0);
    }
  }

  @Test
  void refusesNoSize() {
    assertThrows(IllegalArgumentException.class, () -> source.resize(0, 5));
  }
}
