package io.gatun.models.sam;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;

/// Positions of Hiera's tokens (Bolya et al. 2023, arXiv 2311.05613): a table of a window's,
/// repeated, and a coarse one of the whole image's, interpolated.
final class WindowedPositions {
  /// PyTorch's bicubic kernel.
  private static final double A = -0.75;

  private static final int TAPS = 4;

  private WindowedPositions() {}

  /// (1, side, side, D) F32.
  static Tensor of(Weights trunk, HieraConfig config, int side) {
    int d = config.embedDim();
    int window = config.windows().getFirst();
    int background = Math.toIntExact(trunk.shape("pos_embed").dim(-1));
    float[] coarse = byPixels(trunk.tensor("pos_embed", 1, d, background, background));
    float[] repeated = byPixels(trunk.tensor("pos_embed_window", 1, d, window, window));
    var values = new float[side * side * d];
    float[] across = new float[background * side * d];
    for (int y = 0; y < background; y++) {
      for (int x = 0; x < side; x++) {
        mix(coarse, y * background * d, d, background, x, side, d, across, (y * side + x) * d);
      }
    }
    for (int y = 0; y < side; y++) {
      mix(across, 0, side * d, background, y, side, side * d, values, y * side * d);
      for (int x = 0; x < side; x++) {
        int from = (y % window * window + x % window) * d;
        for (int c = 0; c < d; c++) {
          values[(y * side + x) * d + c] += repeated[from + c];
        }
      }
    }
    return Tensor.ofFloats(Arena.ofAuto(), values, 1, side, side, d);
  }

  /// (1, D, H, W) as (H, W, D).
  private static float[] byPixels(Tensor t) {
    return t.transpose(1, 2).transpose(2, 3).toFloats();
  }

  /// Element `i` of `n` that are interpolated of `size`, each of which has `length` values and
  /// stands `step` behind the one before.
  private static void mix(
      float[] in, int at, int step, int size, int i, int n, int length, float[] out, int to) {
    float position = (i + 0.5f) * ((float) size / n) - 0.5f;
    int first = (int) Math.floor(position);
    for (int tap = 0; tap < TAPS; tap++) {
      float weight = weight(position - (first + tap - 1));
      int from = at + Math.clamp(first + tap - 1, 0, size - 1) * step;
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
