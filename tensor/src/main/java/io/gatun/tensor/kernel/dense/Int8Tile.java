package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.INTS;
import static io.gatun.tensor.kernel.dense.Lanes.floats;
import static io.gatun.tensor.kernel.dense.Lanes.shorts;
import static io.gatun.tensor.kernel.dense.Lanes.store;
import static io.gatun.tensor.kernel.dense.Lanes.storeShorts;

import io.gatun.ffm.raw.RawMemory;
import io.gatun.tensor.kernel.scalar.Floats;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/// Products of u8 activations, whose zero point is 128, and s8 weights, on their way to floats: for
/// row r and column c, `y = rowScales[r] * scales[c] * (product - sums[c]) + bias[c] + residual`.
///
/// @param products rows of n I32 without gaps, from byte `at` on
/// @param rowScales F32, that of the first row at byte `rowScalesAt`
/// @param scales F32
/// @param sums I32: the sums of the columns' weights, times 128
/// @param bias F32
/// @param first the first column's index in scales, sums and bias
/// @param rows the rows
/// @param n the columns, a multiple of 32
public record Int8Tile(
    MemorySegment products,
    long at,
    MemorySegment rowScales,
    long rowScalesAt,
    MemorySegment scales,
    MemorySegment sums,
    MemorySegment bias,
    int first,
    int rows,
    int n) {

  /// Leaves y, without a residual, as F32 where the products are.
  public void toFloats() {
    long p = address(products, at, 4L * rows * n);
    long s = address(scales, 4L * first, 4L * n);
    long z = address(sums, 4L * first, 4L * n);
    long b = address(bias, 4L * first, 4L * n);
    for (int row = 0; row < rows; row++, p += 4L * n) {
      var scale = FloatVector.broadcast(Lanes.FLOATS, Floats.get(rowScales, rowScalesAt, row));
      for (long i = 0; i < 4L * n; i += 4 * COUNT) {
        var integers = ints(p + i).sub(ints(z + i));
        store(Lanes.toFloat(integers).mul(scale).fma(floats(s + i), floats(b + i)), p + i);
      }
    }
  }

  /// Writes y as BF16.
  ///
  /// @param residual BF16, from byte `residualAt` on; its rows are `residualStride` bytes apart
  /// @param stride the bytes from a row of `out` to the next
  public void toBf16(
      MemorySegment residual,
      long residualAt,
      long residualStride,
      MemorySegment out,
      long outAt,
      long stride) {
    long p = address(products, at, 4L * rows * n);
    long s = address(scales, 4L * first, 4L * n);
    long z = address(sums, 4L * first, 4L * n);
    long b = address(bias, 4L * first, 4L * n);
    long r = address(residual, residualAt, (rows - 1) * residualStride + 2L * n);
    long to = address(out, outAt, (rows - 1) * stride + 2L * n);
    for (int row = 0; row < rows; row++, p += 4L * n, r += residualStride, to += stride) {
      var scale = FloatVector.broadcast(Lanes.FLOATS, Floats.get(rowScales, rowScalesAt, row));
      for (long i = 0; i < 4L * n; i += 4 * COUNT) {
        var integers = ints(p + i).sub(ints(z + i));
        var y = Lanes.toFloat(integers).mul(scale).fma(floats(s + i), floats(b + i));
        storeShorts(Lanes.toBf16(y.add(Lanes.bf16(shorts(r + i / 2)))), to + i / 2);
      }
    }
  }

  private static IntVector ints(long address) {
    return IntVector.fromMemorySegment(INTS, RawMemory.ALL, address & Lanes.IN_BOUNDS, Lanes.ORDER);
  }
}
