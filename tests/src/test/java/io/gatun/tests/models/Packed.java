package io.gatun.tests.models;

import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;

/// Latents as FLUX.1 packs them: 2 x 2 of them are a row, in which channels come first.
final class Packed {
  private Packed() {}

  /// Rows (T, 4 C) as (2 rows, 2 columns, C).
  static Tensor latents(Tensor packed, int rows, int columns) {
    float[] from = packed.toFloats();
    int channels = from.length / (4 * rows * columns);
    var to = new float[from.length];
    int i = 0;
    for (int y = 0; y < rows; y++) {
      for (int x = 0; x < columns; x++) {
        for (int c = 0; c < channels; c++) {
          for (int place = 0; place < 4; place++) {
            int pixel = (2 * y + place / 2) * 2 * columns + 2 * x + place % 2;
            to[pixel * channels + c] = from[i++];
          }
        }
      }
    }
    return Tensor.ofFloats(Arena.ofAuto(), to, 2L * rows, 2L * columns, channels);
  }
}
