package io.gatun.tensor;

import java.util.Arrays;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/// The sizes of a tensor's dimensions, outermost first; rank 0 is a scalar.
public final class Shape {
  /// The most dimensions, as many as PyTorch has.
  public static final int MAX_RANK = 64;

  private final long[] dims;

  private Shape(long[] dims) {
    this.dims = dims;
  }

  /// A shape of the given sizes.
  ///
  /// @throws IllegalArgumentException if there are more than [#MAX_RANK], a size is negative, or
  ///   the product overflows a long
  public static Shape of(long... dims) {
    if (dims.length > MAX_RANK) {
      throw new IllegalArgumentException(
          "a shape of %d dimensions; need at most %d".formatted(dims.length, MAX_RANK));
    }
    long size = 1;
    for (long d : dims) {
      if (d < 0) {
        throw new IllegalArgumentException("negative dimension in " + Arrays.toString(dims));
      }
      try {
        size = Math.multiplyExact(size, d);
      } catch (ArithmeticException e) {
        throw new IllegalArgumentException(
            "shape " + Arrays.toString(dims) + " has more elements than a long counts", e);
      }
    }
    return new Shape(dims.clone());
  }

  public int rank() {
    return dims.length;
  }

  /// The size of dimension `i`; negative `i` counts from the end, -1 being the innermost.
  ///
  /// @throws IndexOutOfBoundsException if there is no such dimension
  public long dim(int i) {
    return dims[checkDim(i)];
  }

  /// The dimension that `i` means, negative ones counted from the end.
  int checkDim(int i) {
    if (i < -dims.length || i >= dims.length) {
      throw new IndexOutOfBoundsException("dimension %d of shape %s".formatted(i, this));
    }
    return i < 0 ? i + dims.length : i;
  }

  /// The number of elements.
  public long size() {
    long size = 1;
    for (long d : dims) {
      size *= d;
    }
    return size;
  }

  public long[] dims() {
    return dims.clone();
  }

  /// The strides, in elements, of a row-major layout without gaps.
  public long[] strides() {
    var strides = new long[dims.length];
    long stride = 1;
    for (int i = dims.length - 1; i >= 0; i--) {
      strides[i] = stride;
      stride *= dims[i];
    }
    return strides;
  }

  /// Asks that `other` be this shape or the end of it, so that its elements can be repeated.
  ///
  /// @throws IllegalArgumentException if it is not
  public void requireEnd(Shape other) {
    int skipped = dims.length - other.dims.length;
    if (skipped < 0 || !Arrays.equals(Arrays.copyOfRange(dims, skipped, dims.length), other.dims)) {
      throw new IllegalArgumentException(
          "shape %s does not fit %s: need the same shape or the end of it".formatted(other, this));
    }
  }

  @Override
  public boolean equals(Object o) {
    return o instanceof Shape s && Arrays.equals(dims, s.dims);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(dims);
  }

  /// As in Python: `(4096, 11008)`, `(7,)`, `()`.
  @Override
  public String toString() {
    String list = LongStream.of(dims).mapToObj(Long::toString).collect(Collectors.joining(", "));
    return "(" + list + (dims.length == 1 ? ",)" : ")");
  }
}
