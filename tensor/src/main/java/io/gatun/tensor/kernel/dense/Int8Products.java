package io.gatun.tensor.kernel.dense;

import static io.gatun.ffm.raw.RawMemory.address;
import static io.gatun.tensor.kernel.dense.Lanes.COUNT;
import static io.gatun.tensor.kernel.dense.Lanes.FLOATS;
import static io.gatun.tensor.kernel.dense.Lanes.floats;
import static io.gatun.tensor.kernel.dense.Lanes.ints;
import static io.gatun.tensor.kernel.dense.Lanes.shorts;
import static io.gatun.tensor.kernel.dense.Lanes.store;
import static io.gatun.tensor.kernel.dense.Lanes.storeShorts;

import io.gatun.tensor.kernel.scalar.Floats;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;

/// Products of u8 activations, whose zero point is 128, and s8 weights, on their way to floats: for
/// row r and column c, `y = rowScales[r] * scales[c] * (product - sums[c]) + bias[c] + residual`.
///
/// @param products I32 (rows, columns)
/// @param columns a multiple of 32
/// @param rowScales one F32 for each row
/// @param scales one F32 for each column
/// @param sums one I32 for each column: the sum of its weights, times 128
/// @param bias one F32 for each column
public record Int8Products(
    MemorySegment products,
    int columns,
    MemorySegment rowScales,
    MemorySegment scales,
    MemorySegment sums,
    MemorySegment bias,
    int rows) {
  /// Leaves y, without a residual, as F32 where the products are.
  public void toFloats() {
    toFloats(columns, products, 0, 4L * columns);
  }

  /// Stores the first `n` columns of y, without a residual.
  ///
  /// @param n a multiple of 32
  /// @param out F32, rows `stride` bytes apart, from byte `outAt` on
  public void toFloats(int n, MemorySegment out, long outAt, long stride) {
    long p = address(products, 0, 4L * rows * columns);
    long to = address(out, outAt, (rows - 1) * stride + 4L * n);
    long s = start(scales);
    long z = start(sums);
    long b = start(bias);
    for (int row = 0; row < rows; row++, p += 4L * columns, to += stride) {
      var scale = FloatVector.broadcast(FLOATS, Floats.get(rowScales, 0, row));
      for (long i = 0; i < 4L * n; i += 4L * COUNT) {
        var integers = ints(p + i).sub(ints(z + i));
        store(Lanes.toFloat(integers).mul(scale).fma(floats(s + i), floats(b + i)), to + i);
      }
    }
    fence(out);
  }

  private long start(MemorySegment ofColumns) {
    return address(ofColumns, 0, 4L * columns);
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
    long p = address(products, 0, 4L * rows * columns);
    long s = start(scales);
    long z = start(sums);
    long b = start(bias);
    long r = address(residual, residualAt, (rows - 1) * residualStride + 2L * columns);
    long to = address(out, outAt, (rows - 1) * stride + 2L * columns);
    for (int row = 0; row < rows; row++, p += 4L * columns, r += residualStride, to += stride) {
      var scale = FloatVector.broadcast(FLOATS, Floats.get(rowScales, 0, row));
      for (long i = 0; i < 4L * columns; i += 4L * COUNT) {
        var integers = ints(p + i).sub(ints(z + i));
        var y = Lanes.toFloat(integers).mul(scale).fma(floats(s + i), floats(b + i));
        storeShorts(Lanes.toBf16(y.add(Lanes.bf16(shorts(r + i / 2)))), to + i / 2);
      }
    }
    fence(out);
    Reference.reachabilityFence(residual);
  }

  private void fence(MemorySegment out) {
    Reference.reachabilityFence(this);
    Reference.reachabilityFence(out);
  }
}
