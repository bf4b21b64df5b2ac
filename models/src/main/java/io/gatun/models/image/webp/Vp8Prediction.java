package io.gatun.models.image.webp;

import java.util.Arrays;

/// Predicts squares of pixels from those above them and to their left.
///
/// Source: RFC 6386, section 12. X is the pixel above and left, A to H are those above from the
/// left, I to L those at the left from the top, as in its figures.
final class Vp8Prediction {
  /// Modes of whole macroblocks are those of their blocks that look alike.
  static final int DC = 0;

  static final int TM = 1;
  static final int V = 2;
  static final int H = 3;

  private final byte[] p;
  private final int stride;

  Vp8Prediction(byte[] pixels, int stride) {
    p = pixels;
    this.stride = stride;
  }

  /// Predicts 16 x 16 pixels of luminance or 8 x 8 of a colour.
  ///
  /// @param hasTop whether there is a macroblock above
  /// @param hasLeft whether there is one at the left
  void square(int mode, int at, int size, boolean hasTop, boolean hasLeft) {
    switch (mode) {
      case DC -> fill(at, size, mean(at, size, hasTop, hasLeft));
      case TM -> trueMotion(at, size);
      case V -> {
        for (int y = 0; y < size; y++) {
          System.arraycopy(p, at - stride, p, at + y * stride, size);
        }
      }
      default -> {
        for (int y = 0; y < size; y++) {
          fillRow(at + y * stride, size, p[at + y * stride - 1]);
        }
      }
    }
  }

  private int mean(int at, int size, boolean hasTop, boolean hasLeft) {
    if (!hasTop && !hasLeft) {
      return 128;
    }
    int sum = 0;
    for (int i = 0; i < size; i++) {
      sum += hasTop ? u(at - stride + i) : 0;
      sum += hasLeft ? u(at + i * stride - 1) : 0;
    }
    int n = hasTop && hasLeft ? 2 * size : size;
    return (sum + n / 2) / n;
  }

  private void fill(int at, int size, int value) {
    for (int y = 0; y < size; y++) {
      fillRow(at + y * stride, size, (byte) value);
    }
  }

  private void fillRow(int at, int size, byte value) {
    Arrays.fill(p, at, at + size, value);
  }

  private void trueMotion(int at, int size) {
    int corner = u(at - stride - 1);
    for (int y = 0; y < size; y++) {
      int left = u(at + y * stride - 1) - corner;
      for (int x = 0; x < size; x++) {
        p[at + y * stride + x] = (byte) Math.clamp(left + u(at - stride + x), 0, 255);
      }
    }
  }

  /// Predicts 4 x 4 pixels.
  void subblock(int mode, int at) {
    int x = u(at - stride - 1);
    int a = u(at - stride);
    int b = u(at - stride + 1);
    int c = u(at - stride + 2);
    int d = u(at - stride + 3);
    int e = u(at - stride + 4);
    int f = u(at - stride + 5);
    int g = u(at - stride + 6);
    int h = u(at - stride + 7);
    int i = u(at - 1);
    int j = u(at + stride - 1);
    int k = u(at + 2 * stride - 1);
    int l = u(at + 3 * stride - 1);
    switch (mode) {
      case DC -> fill(at, 4, a + b + c + d + i + j + k + l + 4 >> 3);
      case TM -> trueMotion(at, 4);
      case V -> rows(at, m(x, a, b), m(a, b, c), m(b, c, d), m(c, d, e));
      case H -> columns(at, m(x, i, j), m(i, j, k), m(j, k, l), m(k, l, l));
      // Along diagonals, down to the left and down to the right.
      case 4 ->
          falling(
              at,
              1,
              m(a, b, c),
              m(b, c, d),
              m(c, d, e),
              m(d, e, f),
              m(e, f, g),
              m(f, g, h),
              m(g, h, h));
      case 5 ->
          falling(
              at,
              -1,
              m(j, k, l),
              m(i, j, k),
              m(x, i, j),
              m(a, x, i),
              m(b, a, x),
              m(c, b, a),
              m(d, c, b));
      case 6 -> // steeply to the right
          put(
              at,
              m(x, a),
              m(a, b),
              m(b, c),
              m(c, d),
              m(i, x, a),
              m(x, a, b),
              m(a, b, c),
              m(b, c, d),
              m(j, i, x),
              m(x, a),
              m(a, b),
              m(b, c),
              m(k, j, i),
              m(i, x, a),
              m(x, a, b),
              m(a, b, c));
      case 7 -> // steeply to the left
          put(
              at,
              m(a, b),
              m(b, c),
              m(c, d),
              m(d, e),
              m(a, b, c),
              m(b, c, d),
              m(c, d, e),
              m(d, e, f),
              m(b, c),
              m(c, d),
              m(d, e),
              m(e, f, g),
              m(b, c, d),
              m(c, d, e),
              m(d, e, f),
              m(f, g, h));
      case 8 -> // gently down
          put(
              at,
              m(i, x),
              m(i, x, a),
              m(x, a, b),
              m(a, b, c),
              m(j, i),
              m(j, i, x),
              m(i, x),
              m(i, x, a),
              m(k, j),
              m(k, j, i),
              m(j, i),
              m(j, i, x),
              m(l, k),
              m(l, k, j),
              m(k, j),
              m(k, j, i));
      default -> // gently up
          put(
              at,
              m(i, j),
              m(i, j, k),
              m(j, k),
              m(j, k, l),
              m(j, k),
              m(j, k, l),
              m(k, l),
              m(k, l, l),
              m(k, l),
              m(k, l, l),
              l,
              l,
              l,
              l,
              l,
              l);
    }
  }

  /// Every row alike.
  private void rows(int at, int... values) {
    for (int y = 0; y < 4; y++) {
      for (int x = 0; x < 4; x++) {
        p[at + y * stride + x] = (byte) values[x];
      }
    }
  }

  /// Every column alike.
  private void columns(int at, int... values) {
    for (int y = 0; y < 4; y++) {
      fillRow(at + y * stride, 4, (byte) values[y]);
    }
  }

  /// Diagonals alike: those that fall to the left from the top left corner on, or those that fall
  /// to the right from the bottom left corner on.
  private void falling(int at, int direction, int... values) {
    for (int y = 0; y < 4; y++) {
      for (int x = 0; x < 4; x++) {
        p[at + y * stride + x] = (byte) values[direction > 0 ? x + y : x + 3 - y];
      }
    }
  }

  private void put(int at, int... values) {
    for (int n = 0; n < 16; n++) {
      p[at + (n >> 2) * stride + (n & 3)] = (byte) values[n];
    }
  }

  private int u(int at) {
    return p[at] & 0xFF;
  }

  private static int m(int a, int b) {
    return a + b + 1 >> 1;
  }

  private static int m(int a, int b, int c) {
    return a + 2 * b + c + 2 >> 2;
  }
}
