package io.gatun.models.diffusion.lora;

import io.gatun.models.nn.WeightNames.Stored;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.ValueLayout;

/// How a file changes a weight:
///
///     W' = W + strength * factor * M
///
/// and with magnitudes (Liu et al. 2024, "DoRA", arXiv:2402.09353, equation 5), where the strength
/// leads from the weight as it was to the one that was trained:
///
///     V = W + factor * M;  W' = W + strength * (magnitude * V / |V| - W)
///
/// @param factor alpha / R
/// @param magnitude of each row (N), or of each input (1, I), in any shape of so many; null for none
/// @param strength 1 as it was trained
/// @param stored what of it belongs to the weight, where the file adapts several in one
record WeightChange(
    Adaptation adaptation, double factor, Tensor magnitude, double strength, Stored stored) {
  private static final Stored ALL = Stored.of("");

  WeightChange(Adaptation adaptation, double factor, Tensor magnitude, double strength) {
    this(adaptation, factor, magnitude, strength, ALL);
  }

  /// The same for a weight that is rows of the one that the file adapts.
  WeightChange of(Stored part) {
    return new WeightChange(adaptation, factor, magnitude, strength, part);
  }

  /// Whether it is for weights of (N, K), of I inputs.
  boolean fits(long rows, long columns, long inputs) {
    boolean all = stored.to() - stored.from() == stored.of();
    boolean magnitudes =
        magnitude == null
            || (isByRow()
                ? magnitude.size() == adaptation.rows()
                : all && magnitude.size() == inputs);
    return magnitudes
        && adaptation.rows() * (stored.to() - stored.from()) == rows * stored.of()
        && adaptation.columns() == columns;
  }

  private boolean isByRow() {
    return magnitude.dim(0) == adaptation.rows();
  }

  /// The changed weight (N, K).
  ///
  /// @param weight F32
  /// @param inputs of K, each with the numbers of a kernel
  Tensor of(Functional f, Tensor weight, long inputs) {
    Tensor matrix = adaptation.matrix(f, stored);
    if (magnitude == null) {
      return f.add(weight, f.scale(matrix, (float) (strength * factor)));
    }
    Tensor changed = f.add(weight, f.scale(matrix, (float) factor));
    float[] lengths = (isByRow() ? stored.rowsOf(f.cast(magnitude)) : f.cast(magnitude)).toFloats();
    int columns = (int) weight.dim(1);
    int kernel = (int) (columns / inputs);
    var squares = new double[lengths.length];
    for (long i = 0; i < changed.size(); i++) {
      double value = changed.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
      squares[group(i, columns, kernel)] += value * value;
    }
    for (long i = 0; i < changed.size(); i++) {
      int group = group(i, columns, kernel);
      double before = weight.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
      double value = changed.segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
      double length = Math.sqrt(squares[group]);
      double trained = length == 0 ? 0 : lengths[group] * value / length;
      changed
          .segment()
          .setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) (before + strength * (trained - before)));
    }
    return changed;
  }

  /// The row of a number, or its input.
  private int group(long i, int columns, int kernel) {
    return (int) (isByRow() ? i / columns : i % columns / kernel);
  }
}
