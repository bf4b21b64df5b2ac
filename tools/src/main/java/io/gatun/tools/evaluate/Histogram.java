package io.gatun.tools.evaluate;

import io.gatun.models.image.Image;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/// A picture of how many numbers between 0 and 1 lie in each twentieth, with their mean as a red
/// line.
///
/// Its digits are its own: a machine without a screen may have no fonts.
final class Histogram {
  private static final int WIDTH = 640;
  private static final int HEIGHT = 400;
  private static final int LEFT = 60;
  private static final int RIGHT = 20;
  private static final int TOP = 20;
  private static final int BOTTOM = 40;
  private static final int BINS = 20;

  private static final int BLACK = 0x202020;
  private static final int GREY = 0xD8D8D8;
  private static final int BLUE = 0x4878A8;
  private static final int RED = 0xC03028;

  /// Rows of five pixels, from the highest bit on.
  private static final int[][] DIGITS = {
    {14, 17, 19, 21, 25, 17, 14},
    {4, 12, 4, 4, 4, 4, 14},
    {14, 17, 1, 2, 4, 8, 31},
    {31, 2, 4, 2, 1, 17, 14},
    {2, 6, 10, 18, 31, 2, 2},
    {31, 16, 30, 1, 1, 17, 14},
    {6, 8, 16, 30, 17, 17, 14},
    {31, 1, 2, 4, 8, 8, 8},
    {14, 17, 17, 14, 17, 17, 14},
    {14, 17, 17, 15, 1, 2, 12},
  };

  private static final int[] POINT = {0, 0, 0, 0, 0, 12, 12};

  private final MemorySegment pixels = Arena.ofAuto().allocate(3L * WIDTH * HEIGHT);

  private Histogram() {
    pixels.fill((byte) 255);
  }

  static Image of(double... values) {
    var histogram = new Histogram();
    histogram.draw(values);
    return Image.of(WIDTH, HEIGHT, 3, histogram.pixels);
  }

  private void draw(double... values) {
    var counts = new int[BINS];
    for (double v : values) {
      counts[Math.clamp((int) (v * BINS), 0, BINS - 1)]++;
    }
    int step = step(Arrays.stream(counts).max().orElse(1));
    int top = step * Math.ceilDiv(Math.max(1, Arrays.stream(counts).max().orElse(1)), step);
    for (int n = 0; n <= top; n += step) {
      int y = y(n, top);
      fill(LEFT, y, WIDTH - RIGHT, y + 1, n == 0 ? BLACK : GREY);
      write(Integer.toString(n), LEFT - 8, y - 7, true);
    }
    for (int i = 0; i < BINS; i++) {
      fill(x((double) i / BINS) + 1, y(counts[i], top), x((i + 1.0) / BINS) - 1, y(0, top), BLUE);
    }
    for (int i = 0; i <= 10; i += 2) {
      String label = String.format(Locale.ROOT, "%.1f", i / 10.0);
      write(label, x(i / 10.0) + 6 * label.length(), HEIGHT - BOTTOM + 10, true);
    }
    double mean = Arrays.stream(values).average().orElse(0);
    int at = x(mean);
    fill(at, TOP, at + 2, y(0, top), RED);
    boolean room = mean < 0.8;
    write(String.format(Locale.ROOT, "%.4f", mean), room ? at + 8 : at - 6, TOP, !room);
  }

  /// 1, 2 or 5 times a power of ten, so that there are at most six lines.
  private static int step(int largest) {
    for (int power = 1; ; power *= 10) {
      for (int step : List.of(power, 2 * power, 5 * power)) {
        if (largest <= 5L * step) {
          return step;
        }
      }
    }
  }

  private static int x(double value) {
    return LEFT + (int) Math.round(value * (WIDTH - LEFT - RIGHT));
  }

  private static int y(int count, int top) {
    return HEIGHT - BOTTOM - (int) ((long) count * (HEIGHT - BOTTOM - TOP) / top);
  }

  /// Digits and points, each twelve pixels wide; `right` says whether `x` is where they end.
  private void write(String text, int x, int y, boolean right) {
    int at = right ? x - 12 * text.length() : x;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      int[] rows = c == '.' ? POINT : DIGITS[c - '0'];
      for (int row = 0; row < rows.length; row++) {
        for (int column = 0; column < 5; column++) {
          if ((rows[row] >> (4 - column) & 1) != 0) {
            int left = at + 2 * column;
            fill(left, y + 2 * row, left + 2, y + 2 * row + 2, BLACK);
          }
        }
      }
      at += 12;
    }
  }

  private void fill(int x0, int y0, int x1, int y1, int colour) {
    for (int y = Math.max(0, y0); y < Math.min(HEIGHT, y1); y++) {
      for (int x = Math.max(0, x0); x < Math.min(WIDTH, x1); x++) {
        long at = 3L * (y * WIDTH + x);
        for (int c = 0; c < 3; c++) {
          pixels.set(ValueLayout.JAVA_BYTE, at + c, (byte) (colour >> (16 - 8 * c)));
        }
      }
    }
  }
}
