package io.gatun.models.dit;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.ValueLayout;

/// Sinusoids of a patch's place in the image (Dosovitskiy et al. 2021): half of the channels for
/// its column, half for its row, each scaled as if all images had one size.
///
/// @param base patches a side of that size
/// @param interpolationScale what places are divided by
record SinCosPositions(int base, double interpolationScale) {
  private static final double MAX_PERIOD = 10_000;

  /// For rows x columns of patches: (T, D) of the activations' type.
  Tensor forward(Functional f, long rows, long columns, int d) {
    var out = f.ops().empty(rows * columns, d);
    for (long y = 0; y < rows; y++) {
      for (long x = 0; x < columns; x++) {
        long at = (y * columns + x) * d;
        put(out, at, place(x, columns), d / 2);
        put(out, at + d / 2, place(y, rows), d / 2);
      }
    }
    return f.cast(out);
  }

  /// In F32, as in training.
  private float place(long i, long of) {
    return (float) ((float) (i / (of / (double) base)) / interpolationScale);
  }

  private static void put(Tensor out, long at, float place, int d) {
    int half = d / 2;
    for (int i = 0; i < half; i++) {
      double angle = place / Math.pow(MAX_PERIOD, i / (double) half);
      out.segment().setAtIndex(ValueLayout.JAVA_FLOAT, at + i, (float) Math.sin(angle));
      out.segment().setAtIndex(ValueLayout.JAVA_FLOAT, at + half + i, (float) Math.cos(angle));
    }
  }
}
