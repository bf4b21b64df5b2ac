package io.gatun.models.sam.modeling.encoder;

import io.gatun.models.nn.Bicubic;
import io.gatun.models.nn.Weights;
import io.gatun.models.sam.config.HieraConfig;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;

/// Positions of Hiera's tokens (Bolya et al. 2023, arXiv 2311.05613): a table of a window's,
/// repeated, and a coarse one of the whole image's, interpolated.
final class WindowedPositions {
  private WindowedPositions() {}

  /// (1, side, side, D) F32.
  static Tensor of(Weights trunk, HieraConfig config, int side) {
    int d = config.embedDim();
    int window = config.windows().getFirst();
    int background = Math.toIntExact(trunk.shape("pos_embed").dim(-1));
    float[] coarse = byPixels(trunk.tensor("pos_embed", 1, d, background, background));
    float[] repeated = byPixels(trunk.tensor("pos_embed_window", 1, d, window, window));
    float[] values = Bicubic.resize(coarse, background, side, d);
    for (int i = 0; i < values.length / d; i++) {
      int from = (i / side % window * window + i % side % window) * d;
      for (int c = 0; c < d; c++) {
        values[i * d + c] += repeated[from + c];
      }
    }
    return Tensor.ofFloats(Arena.ofAuto(), values, 1, side, side, d);
  }

  /// (1, D, H, W) as (H, W, D).
  private static float[] byPixels(Tensor t) {
    return t.transpose(1, 2).transpose(2, 3).toFloats();
  }
}
