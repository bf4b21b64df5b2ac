package io.gatun.models.image.webp;

import io.gatun.models.image.webp.Vp8l.Colours;
import java.lang.foreign.Arena;

/// What a writer did to all pixels so that they would be shorter, and how to undo it.
///
/// Source: WebP lossless bitstream specification, section 4.
///
/// @param bits that say how large the squares are that have a setting of their own, or how many
///   pixels lie in one
/// @param data a setting for each square, or the palette; null for none
/// @param width of the pixels when it is undone
record Vp8lTransform(Kind kind, int bits, Colours data, int width) {
  /// In the order of their numbers.
  enum Kind {
    PREDICTOR,
    COLOUR,
    GREEN,
    INDEX
  }

  private static final int BLACK = 0xFF000000;

  /// The pixels as they were, in the same memory but for [Kind#INDEX].
  Colours undo(Colours pixels, Arena arena) {
    return switch (kind) {
      case PREDICTOR -> undoPredictor(pixels);
      case COLOUR -> undoColour(pixels);
      case GREEN -> undoGreen(pixels);
      case INDEX -> undoIndex(pixels, arena);
    };
  }

  private int setting(int x, int y) {
    return data.get((long) (y >> bits) * data.width() + (x >> bits));
  }

  private Colours undoPredictor(Colours p) {
    long at = 0;
    for (int y = 0; y < p.height(); y++) {
      for (int x = 0; x < width; x++, at++) {
        int expected;
        if (y == 0) {
          expected = x == 0 ? BLACK : p.get(at - 1);
        } else if (x == 0) {
          expected = p.get(at - width);
        } else {
          int left = p.get(at - 1);
          int up = p.get(at - width);
          int upLeft = p.get(at - width - 1);
          int upRight = p.get(at - width + 1); // at the end the row's own first
          expected = expected(setting(x, y) >> 8 & 15, left, up, upLeft, upRight);
        }
        p.set(at, add(p.get(at), expected));
      }
    }
    return p;
  }

  private static int expected(int mode, int left, int up, int upLeft, int upRight) {
    return switch (mode) {
      case 1 -> left;
      case 2 -> up;
      case 3 -> upRight;
      case 4 -> upLeft;
      case 5 -> mean(mean(left, upRight), up);
      case 6 -> mean(left, upLeft);
      case 7 -> mean(left, up);
      case 8 -> mean(upLeft, up);
      case 9 -> mean(up, upRight);
      case 10 -> mean(mean(left, upLeft), mean(up, upRight));
      case 11 -> difference(up, upLeft) < difference(left, upLeft) ? left : up;
      case 12 -> gradient(left, up, upLeft);
      case 13 -> halfGradient(mean(left, up), upLeft);
      default -> BLACK;
    };
  }

  /// Each channel for itself, without carries.
  static int add(int a, int b) {
    return (a & 0xFF00FF00) + (b & 0xFF00FF00) & 0xFF00FF00
        | (a & 0x00FF00FF) + (b & 0x00FF00FF) & 0x00FF00FF;
  }

  private static int mean(int a, int b) {
    return (((a ^ b) & 0xFEFEFEFE) >>> 1) + (a & b);
  }

  private static int difference(int a, int b) {
    int sum = 0;
    for (int shift = 0; shift < 32; shift += 8) {
      sum += Math.abs((a >>> shift & 0xFF) - (b >>> shift & 0xFF));
    }
    return sum;
  }

  private static int gradient(int left, int up, int upLeft) {
    int out = 0;
    for (int shift = 0; shift < 32; shift += 8) {
      int v = (left >>> shift & 0xFF) + (up >>> shift & 0xFF) - (upLeft >>> shift & 0xFF);
      out |= Math.clamp(v, 0, 255) << shift;
    }
    return out;
  }

  private static int halfGradient(int mean, int upLeft) {
    int out = 0;
    for (int shift = 0; shift < 32; shift += 8) {
      int m = mean >>> shift & 0xFF;
      int v = m + (m - (upLeft >>> shift & 0xFF)) / 2;
      out |= Math.clamp(v, 0, 255) << shift;
    }
    return out;
  }

  private Colours undoColour(Colours p) {
    long at = 0;
    for (int y = 0; y < p.height(); y++) {
      for (int x = 0; x < width; x++, at++) {
        int setting = setting(x, y);
        int argb = p.get(at);
        byte green = (byte) (argb >> 8);
        int red = (argb >> 16) + times((byte) setting, green) & 0xFF;
        int blue = argb + times((byte) (setting >> 8), green);
        blue = blue + times((byte) (setting >> 16), (byte) red) & 0xFF;
        p.set(at, argb & 0xFF00FF00 | red << 16 | blue);
      }
    }
    return p;
  }

  private static int times(byte factor, byte colour) {
    return factor * colour >> 5;
  }

  private Colours undoGreen(Colours p) {
    for (long i = 0; i < (long) width * p.height(); i++) {
      int argb = p.get(i);
      int green = argb >> 8 & 0xFF;
      p.set(i, add(argb, green << 16 | green));
    }
    return p;
  }

  /// Several indices may lie in the green of one pixel, the first lowest.
  private Colours undoIndex(Colours p, Arena arena) {
    var out = new Colours(arena.allocate(4L * width * p.height(), 64), width, p.height());
    int size = 8 >> bits;
    long at = 0;
    for (int y = 0; y < p.height(); y++) {
      for (int x = 0; x < width; x++, at++) {
        int packed = p.get((long) y * p.width() + (x >> bits)) >> 8;
        int index = packed >> (x & (1 << bits) - 1) * size & (1 << size) - 1;
        out.set(at, index < data.width() ? data.get(index) : 0);
      }
    }
    return out;
  }
}
