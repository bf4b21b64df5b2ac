package io.gatun.models.nn;

import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;

/// Where a file keeps the tensors that the reference implementation gives other names.
@FunctionalInterface
public interface WeightNames {
  /// A checkpoint that uses the reference implementation's names.
  WeightNames SAME = Stored::of;

  /// Where a tensor is: rows of one in the file, as far as several weights lie in it one after the
  /// other.
  ///
  /// @param name the tensor's name in the file
  /// @param from the first of the equal shares of its rows
  /// @param to behind the last of them
  /// @param of how many shares it has
  /// @param transposed whether the file has rows and columns the other way round
  /// @param swapped whether the file has the second half of the rows first
  record Stored(String name, int from, int to, int of, boolean transposed, boolean swapped) {
    /// A tensor of its own.
    public static Stored of(String name) {
      return new Stored(name, 0, 1, 1, false, false);
    }

    /// One of so many equal shares of its rows.
    public Stored part(int part, int parts) {
      return parts(part, part + 1, parts);
    }

    /// Some of so many equal shares of its rows.
    public Stored parts(int first, int behind, int parts) {
      return new Stored(name, first, behind, parts, transposed, swapped);
    }

    /// The same with rows and columns the other way round.
    public Stored asTransposed() {
      return new Stored(name, from, to, of, true, swapped);
    }

    /// The same with the second half of the rows first.
    public Stored asSwapped() {
      return new Stored(name, from, to, of, transposed, true);
    }

    /// Whether it is the tensor in the file as it is.
    public boolean isWhole() {
      return to - from == of && !transposed && !swapped;
    }

    /// What belongs to it of the rows of a tensor without gaps: a view, or, of swapped halves, a
    /// copy.
    public Tensor rowsOf(Tensor t) {
      if (!swapped && to - from == of) {
        return t; // which may be a single number
      }
      if (!swapped) {
        long share = t.dim(0) / of;
        return t.slice(0, from * share, to * share);
      }
      var copy = t.copy(Arena.ofAuto());
      long half = t.byteSize() / 2;
      copy.segment().asSlice(0, half).copyFrom(t.segment().asSlice(half, half));
      copy.segment().asSlice(half, half).copyFrom(t.segment().asSlice(0, half));
      return copy;
    }
  }

  /// Where the tensor is that the reference implementation calls `name`.
  Stored stored(String name);
}
