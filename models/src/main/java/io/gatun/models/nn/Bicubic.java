package io.gatun.models.nn;

/// Bicubic interpolation of square tables of positions, as PyTorch does it without aligned corners.
public final class Bicubic {
  private static final double A = -0.75;
  private static final int TAPS = 4;

  private Bicubic() {}

  /// A table (from, from, channels) as (to, to, channels).
  public static float[] resize(float[] table, int from, int to, int channels) {
    if (from == to) {
      return table;
    }
    var across = new float[from * to * channels];
    for (int y = 0; y < from; y++) {
      for (int x = 0; x < to; x++) {
        mix(table, y * from * channels, from, x, to, channels, across, (y * to + x) * channels);
      }
    }
    var out = new float[to * to * channels];
    for (int y = 0; y < to; y++) {
      mix(across, 0, from, y, to, to * channels, out, y * to * channels);
    }
    return out;
  }

  /// Element `i` of `n` that are interpolated of `size`, each of `length` values, the first of
  /// which stand at `at`.
  private static void mix(
      float[] in, int at, int size, int i, int n, int length, float[] out, int to) {
    float position = (i + 0.5f) * ((float) size / n) - 0.5f;
    int first = (int) Math.floor(position) - 1;
    for (int tap = 0; tap < TAPS; tap++) {
      float weight = weight(position - (first + tap));
      int from = at + Math.clamp(first + tap, 0, size - 1) * length;
      for (int c = 0; c < length; c++) {
        out[to + c] += weight * in[from + c];
      }
    }
  }

  private static float weight(float distance) {
    double x = Math.abs(distance);
    return (float)
        (x <= 1
            ? ((A + 2) * x - (A + 3)) * x * x + 1
            : x < 2 ? ((x - 5) * x + 8) * x * A - 4 * A : 0);
  }
}
