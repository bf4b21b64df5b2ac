package io.gatun.tensor;

import io.gatun.tensor.kernel.Elements;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// What makes values of the numbers of a quantized matrix (N, K), where the type alone does not
/// tell:
///
///     value(n, order(j)) = number(n, j) * (factor * scales(n, j / scaleGroup)) + offsets(j / offsetGroup, n)
///
/// To which an adaptation may be added: `sum over r of up(r, n) down(r, j)`.
///
/// Parts that are null (or, of the factor, 1) are left out. All tensors are where their owner has
/// them, without gaps.
///
/// @param scales (N, K / scaleGroup, rounded up) of any plain type
/// @param scaleGroup columns that share a scale
/// @param factor of the whole matrix
/// @param levels (16) F32: the numbers that a code of [DType.Block#CODE4] stands for
/// @param offsets (K / offsetGroup, N) F32
/// @param order (K) I32: which column of the values a column of the numbers is
/// @param lowRank what is added to the values, or null
public record Dequantization(
    Tensor scales,
    int scaleGroup,
    float factor,
    Tensor levels,
    Tensor offsets,
    Tensor order,
    LowRank lowRank) {
  /// A matrix (N, K) of low rank R, as two thin ones.
  ///
  /// @param down (R, K) F32
  /// @param up (R, N) F32
  public record LowRank(Tensor down, Tensor up) {}

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /// Numbers that are values already.
  public static final Dequantization NONE = new Dequantization(null, 0, 1, null, null, null, null);

  /// The same with scales.
  public Dequantization scaled(Tensor newScales, int newScaleGroup) {
    return new Dequantization(newScales, newScaleGroup, factor, levels, offsets, order, lowRank);
  }

  /// The same times a number.
  public Dequantization times(float newFactor) {
    return new Dequantization(scales, scaleGroup, newFactor, levels, offsets, order, lowRank);
  }

  /// The same with a table of numbers.
  public Dequantization withLevels(Tensor newLevels) {
    return new Dequantization(scales, scaleGroup, factor, newLevels, offsets, order, lowRank);
  }

  /// The same with offsets, or without (null).
  public Dequantization withOffsets(Tensor newOffsets) {
    return new Dequantization(scales, scaleGroup, factor, levels, newOffsets, order, lowRank);
  }

  /// The same for columns in another order, or in their own (null).
  public Dequantization withOrder(Tensor newOrder) {
    return new Dequantization(scales, scaleGroup, factor, levels, offsets, newOrder, lowRank);
  }

  /// The same with a matrix of low rank to be added, or without (null).
  public Dequantization withLowRank(LowRank newLowRank) {
    return new Dequantization(scales, scaleGroup, factor, levels, offsets, order, newLowRank);
  }

  /// Whether numbers are values: then a matrix needs none of this.
  public boolean isNone() {
    return scales == null
        && factor == 1
        && levels == null
        && offsets == null
        && order == null
        && lowRank == null;
  }

  /// That of some of the rows.
  Dequantization rows(long from, long to) {
    return new Dequantization(
        scales == null ? null : scales.slice(0, from, to),
        scaleGroup,
        factor,
        levels,
        offsets == null ? null : offsets.slice(1, from, to),
        order,
        lowRank == null ? null : new LowRank(lowRank.down, lowRank.up.slice(1, from, to)));
  }

  /// The bytes of all parts.
  long bytes() {
    long bytes = 0;
    var down = lowRank == null ? null : lowRank.down;
    var up = lowRank == null ? null : lowRank.up;
    for (var part : new Tensor[] {scales, levels, offsets, order, down, up}) {
      bytes +=
          part == null ? 0 : part.size() / part.dtype().blockSize() * part.dtype().blockBytes();
    }
    return bytes;
  }

  /// Makes values of a row's numbers in place, as F32, in the order that references have: numbers
  /// times scales (which the factor was multiplied with), plus offsets.
  ///
  /// @param row of the matrix
  /// @param values `columns` F32 from byte `at`
  public void apply(long row, MemorySegment values, long at, int columns) {
    var v = new float[columns];
    MemorySegment.copy(values, FLOAT, at, v, 0, columns);
    if (levels != null) {
      for (int k = 0; k < columns; k++) {
        v[k] = levels.segment().get(FLOAT, 4L * (int) v[k]);
      }
    }
    if (scales != null) {
      long groups = scales.dim(1);
      for (int g = 0; g < groups; g++) {
        long element = row * groups + g;
        float s = factor * Elements.get(scales.segment(), scales.dtype(), scales.shape(), element);
        for (int k = g * scaleGroup; k < Math.min(columns, (g + 1) * scaleGroup); k++) {
          v[k] *= s;
        }
      }
    }
    if (scales == null && factor != 1) {
      for (int k = 0; k < columns; k++) {
        v[k] *= factor;
      }
    }
    MemorySegment.copy(v, 0, values, FLOAT, at, columns);
    finish(row, values, at, columns);
  }

  /// The rest of [#apply], for numbers that were scaled: adds offsets, and puts columns into order.
  public void finish(long row, MemorySegment values, long at, int columns) {
    if (offsets != null) {
      int group = Math.toIntExact(columns / offsets.dim(0));
      for (int g = 0; g * group < columns; g++) {
        long element = g * offsets.stride(0) + row * offsets.stride(1);
        float offset = offsets.segment().get(FLOAT, 4 * element);
        long first = at + 4L * g * group;
        for (long to = first; to < first + 4L * group; to += 4) {
          values.set(FLOAT, to, values.get(FLOAT, to) + offset);
        }
      }
    }
    if (order != null) {
      var v = new float[columns];
      MemorySegment.copy(values, FLOAT, at, v, 0, columns);
      for (int k = 0; k < columns; k++) {
        values.set(FLOAT, at + 4L * column(k), v[k]);
      }
    }
    if (lowRank != null) {
      addLowRank(row, values, at, columns);
    }
  }

  private void addLowRank(long row, MemorySegment values, long at, int columns) {
    for (long r = 0; r < lowRank.down.dim(0); r++) {
      long element = r * lowRank.up.stride(0) + row * lowRank.up.stride(1);
      float up = lowRank.up.segment().get(FLOAT, 4 * element);
      for (long k = 0; k < columns; k++) {
        float down = lowRank.down.segment().get(FLOAT, 4 * (r * columns + k));
        values.set(FLOAT, at + 4 * k, values.get(FLOAT, at + 4 * k) + up * down);
      }
    }
  }

  private int column(int k) {
    return order.segment().get(ValueLayout.JAVA_INT_UNALIGNED, 4L * k);
  }
}
