package io.gatun.models.sam.modeling;

import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Positions as sines and cosines of random spatial frequencies (Tancik et al. 2020, "Fourier
/// Features Let Networks Learn High Frequency Functions in Low Dimensional Domains").
final class PositionEmbeddingRandom {
  // (2, C / 2): frequencies in x, then in y
  private final float[] positionalEncodingGaussianMatrix;
  private final int half;

  PositionEmbeddingRandom(Weights weights, int channels) {
    half = channels / 2;
    positionalEncodingGaussianMatrix =
        weights.tensor("positional_encoding_gaussian_matrix", 2, half).toFloats();
  }

  /// Writes the embedding of a point, x and y in 0..1, to `out` from channel 0 of row `row` on:
  /// sin(2 pi (2 p - 1) G), then cos of the same.
  void put(double x, double y, Tensor out, long row) {
    var values = new float[2 * half]; // read fast also before this is compiled
    for (int i = 0; i < half; i++) {
      double cycles =
          (2 * x - 1) * positionalEncodingGaussianMatrix[i]
              + (2 * y - 1) * positionalEncodingGaussianMatrix[half + i];
      double angle = 2 * Math.PI * cycles;
      values[i] = (float) Math.sin(angle);
      values[half + i] = (float) Math.cos(angle);
    }
    long at = 4 * row * values.length;
    MemorySegment.copy(values, 0, out.segment(), ValueLayout.JAVA_FLOAT, at, values.length);
  }

  /// The embeddings of the centres of all cells of a grid, row by row: (grid * grid, C) F32.
  Tensor dense(int grid) {
    var out = Tensor.allocate(Arena.ofAuto(), DType.Plain.F32, (long) grid * grid, 2L * half);
    for (int y = 0; y < grid; y++) {
      for (int x = 0; x < grid; x++) {
        put((x + 0.5) / grid, (y + 0.5) / grid, out, (long) y * grid + x);
      }
    }
    return out;
  }
}
