package io.gatun.models.image.webp;

/// Reads the coefficients of blocks of 4 x 4, and turns them back into differences of pixels.
///
/// Source: RFC 6386, sections 13 and 14.
final class Vp8Coefficients {
  /// Of a macroblock: 16 blocks of luminance, 4 of each colour, and the luminance's second order.
  static final int BLOCKS = 25;

  static final int SECOND_ORDER = 24;

  private static final int[] ZIGZAG = {0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15};

  /// Where the probabilities of a position begin; behind the last any will do.
  private static final int[] BANDS = {0, 1, 2, 3, 6, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 7, 0};

  private static final int CONTEXT = 11;
  private static final int BAND = 3 * CONTEXT;
  private static final int TYPE = 8 * BAND;

  /// Bits above the base of large values, by category from the third on.
  private static final int[][] LARGE = {
    {173, 148, 140},
    {176, 155, 140, 135},
    {180, 157, 141, 134, 130},
    {254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129}
  };

  private final int[] p;

  /// All coefficients of a macroblock, 16 for each block.
  final int[] values = new int[16 * BLOCKS];

  Vp8Coefficients(int[] probabilities) {
    p = probabilities;
  }

  /// Reads a block's.
  ///
  /// @param type what the block holds
  /// @param neighbours how many of the two blocks beside it hold something
  /// @param first the position to begin with
  /// @return the position behind the last that is there, `first` for none
  int read(BoolDecoder in, int type, int neighbours, int first, int block, int dcStep, int acStep) {
    int n = first;
    int at = type * TYPE + BANDS[n] * BAND + neighbours * CONTEXT;
    while (n < 16 && in.read(p[at])) {
      while (!in.read(p[at + 1])) {
        n++;
        if (n == 16) {
          return n;
        }
        at = type * TYPE + BANDS[n] * BAND;
      }
      int value = in.read(p[at + 2]) ? large(in, at) : 1;
      int step = n > 0 ? acStep : dcStep;
      values[16 * block + ZIGZAG[n]] = (in.flag() ? -value : value) * step;
      n++;
      at = type * TYPE + BANDS[n] * BAND + (value == 1 ? 1 : 2) * CONTEXT;
    }
    return n;
  }

  private int large(BoolDecoder in, int at) {
    if (!in.read(p[at + 3])) {
      return !in.read(p[at + 4]) ? 2 : in.read(p[at + 5]) ? 4 : 3;
    }
    if (!in.read(p[at + 6])) {
      if (!in.read(p[at + 7])) {
        return in.read(159) ? 6 : 5;
      }
      return 7 + (in.read(165) ? 2 : 0) + (in.read(145) ? 1 : 0);
    }
    int high = in.read(p[at + 8]) ? 1 : 0;
    int category = 2 * high + (in.read(p[at + 9 + high]) ? 1 : 0);
    int value = 0;
    for (int probability : LARGE[category]) {
      value = 2 * value + (in.read(probability) ? 1 : 0);
    }
    return value + 3 + (8 << category);
  }

  /// Spreads the second order over the first coefficients of the luminance (Walsh-Hadamard).
  void spreadSecondOrder() {
    int in = 16 * SECOND_ORDER;
    var t = new int[16];
    for (int i = 0; i < 4; i++) {
      int a0 = values[in + i] + values[in + 12 + i];
      int a1 = values[in + 4 + i] + values[in + 8 + i];
      int a2 = values[in + 4 + i] - values[in + 8 + i];
      int a3 = values[in + i] - values[in + 12 + i];
      t[i] = a0 + a1;
      t[4 + i] = a3 + a2;
      t[8 + i] = a0 - a1;
      t[12 + i] = a3 - a2;
    }
    for (int i = 0; i < 4; i++) {
      int dc = t[4 * i] + 3;
      int a0 = dc + t[4 * i + 3];
      int a1 = t[4 * i + 1] + t[4 * i + 2];
      int a2 = t[4 * i + 1] - t[4 * i + 2];
      int a3 = dc - t[4 * i + 3];
      values[64 * i] = a0 + a1 >> 3;
      values[64 * i + 16] = a3 + a2 >> 3;
      values[64 * i + 32] = a0 - a1 >> 3;
      values[64 * i + 48] = a3 - a2 >> 3;
    }
  }

  /// Adds a block's differences to its prediction (inverse cosine transform).
  void add(int block, byte[] pixels, int at, int stride) {
    int in = 16 * block;
    var t = new int[16];
    for (int i = 0; i < 4; i++) {
      int a = values[in + i] + values[in + 8 + i];
      int b = values[in + i] - values[in + 8 + i];
      int c = small(values[in + 4 + i]) - large(values[in + 12 + i]);
      int d = large(values[in + 4 + i]) + small(values[in + 12 + i]);
      t[4 * i] = a + d;
      t[4 * i + 1] = b + c;
      t[4 * i + 2] = b - c;
      t[4 * i + 3] = a - d;
    }
    for (int i = 0; i < 4; i++) {
      int dc = t[i] + 4;
      int a = dc + t[8 + i];
      int b = dc - t[8 + i];
      int c = small(t[4 + i]) - large(t[12 + i]);
      int d = large(t[4 + i]) + small(t[12 + i]);
      int row = at + i * stride;
      add(pixels, row, a + d);
      add(pixels, row + 1, b + c);
      add(pixels, row + 2, b - c);
      add(pixels, row + 3, a - d);
    }
  }

  /// Times the square root of 2 and the sine of 22.5 degrees, in 65536ths.
  private static int small(int v) {
    return v * 35468 >> 16;
  }

  /// Times the square root of 2 and the cosine of 22.5 degrees.
  private static int large(int v) {
    return (v * 20091 >> 16) + v;
  }

  private static void add(byte[] pixels, int at, int difference) {
    pixels[at] = (byte) Math.clamp((pixels[at] & 0xFF) + (difference >> 3), 0, 255);
  }
}
