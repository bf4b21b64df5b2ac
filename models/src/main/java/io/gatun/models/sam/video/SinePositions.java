package io.gatun.models.sam.video;

import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;

/// Positions as sines and cosines of falling frequencies.
///
/// Source: `sam2/modeling/position_encoding.py`, `get_1d_sine_pe` in `sam2/modeling/sam2_utils.py`.
final class SinePositions {
  private static final double TEMPERATURE = 10000;

  private SinePositions() {}

  /// Of the cells of a grid, their rows, then their columns: (side * side, channels) F32.
  static Tensor ofCells(int side, int channels) {
    int half = channels / 2;
    var out = new float[side * side * channels];
    for (int i = 0; i < side * side; i++) {
      put(place(i / side, side), half, out, i * channels);
      put(place(i % side, side), half, out, i * channels + half);
    }
    return Tensor.ofFloats(Arena.ofAuto(), out, (long) side * side, channels);
  }

  private static double place(int i, int side) {
    return (i + 1) / (side + 1e-6) * 2 * Math.PI;
  }

  private static void put(double place, int n, float[] out, int at) {
    for (int c = 0; c < n; c++) {
      double angle = place / Math.pow(TEMPERATURE, (c / 2 * 2.0) / n);
      out[at + c] = (float) (c % 2 == 0 ? Math.sin(angle) : Math.cos(angle));
    }
  }

  /// Of points in time, sines, then cosines: (times, channels).
  static float[] ofTimes(float[] times, int channels) {
    int half = channels / 2;
    var out = new float[times.length * channels];
    for (int i = 0; i < times.length; i++) {
      for (int c = 0; c < half; c++) {
        double angle = times[i] / Math.pow(TEMPERATURE, (c / 2 * 2.0) / half);
        out[i * channels + c] = (float) Math.sin(angle);
        out[i * channels + half + c] = (float) Math.cos(angle);
      }
    }
    return out;
  }
}
