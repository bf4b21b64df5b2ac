package io.gatun.models.nn;

/// Where a file keeps the tensors that the reference implementation gives other names.
@FunctionalInterface
public interface WeightNames {
  /// A checkpoint that uses the reference implementation's names.
  WeightNames SAME = Stored::of;

  /// Where a tensor is.
  ///
  /// @param name the tensor's name in the file
  /// @param part of the tensor's rows, which hold several weights of equal size one after the other
  /// @param parts how many weights it holds
  /// @param transposed whether the file has rows and columns the other way round
  record Stored(String name, int part, int parts, boolean transposed) {
    /// A tensor of its own.
    public static Stored of(String name) {
      return new Stored(name, 0, 1, false);
    }
  }

  /// Where the tensor is that the reference implementation calls `name`.
  Stored stored(String name);
}
