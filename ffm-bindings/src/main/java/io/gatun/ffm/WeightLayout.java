package io.gatun.ffm;

/// How the second operand of a product lies in memory.
public sealed interface WeightLayout permits WeightLayout.Rows, PackedLayout {
  /// As (k, n) or, transposed, as (n, k), row-major.
  ///
  /// @param transposed whether the rows are the columns of the operand: (n, k), as linear layers
  ///   keep their weights
  /// @param ld the distance between the starts of neighbouring rows, in elements
  record Rows(boolean transposed, int ld) implements WeightLayout {}

  /// The operand (k, n) as it is written, row-major.
  static WeightLayout rowMajor(int ld) {
    return new Rows(false, ld);
  }

  /// The operand (k, n) stored as (n, k), row-major.
  static WeightLayout transposed(int ld) {
    return new Rows(true, ld);
  }
}
