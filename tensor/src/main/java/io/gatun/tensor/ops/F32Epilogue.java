package io.gatun.tensor.ops;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.Kernels;
import io.gatun.tensor.kernel.Unpack;
import java.lang.foreign.MemorySegment;

/// What happens to F32 sums before they are stored as activations: bias and [Epilogue].
final class F32Epilogue {
  private final Kernels kernels;
  private final MemorySegment bias;
  private final Epilogue epilogue;
  private final Tensor out;
  private final DType.Plain dtype;
  private final int n;
  private final long rowsPerImage;
  private final MemorySegment scratch;

  /// @param bias (N) F32; null for none
  /// @param out (B, ..., N)
  F32Epilogue(Functional f, MemorySegment bias, Epilogue epilogue, Tensor out) {
    if (epilogue.activation() != Activation.NONE) {
      throw new UnsupportedOperationException(epilogue.activation() + " after a convolution");
    }
    this.kernels = f.ops().kernels();
    this.bias = bias;
    this.epilogue = epilogue;
    this.out = out;
    this.dtype = f.dtype();
    this.n = Math.toIntExact(out.dim(-1));
    this.rowsPerImage = out.size() / n / out.dim(0);
    this.scratch = f.ops().workspace().take(4L * n * f.ops().workers().threads());
  }

  /// Finishes and stores columns `column` .. `column + columns` of rows `row` .. `row + rows` of
  /// the result, whose sums lie at `at` in `sums`, `stride` elements apart, and are overwritten.
  void store(
      int worker,
      MemorySegment sums,
      long at,
      long stride,
      long row,
      int rows,
      int column,
      int columns) {
    long operand = 4L * n * worker;
    for (int i = 0; i < rows; i++) {
      long sum = at + 4 * i * stride;
      long target = (row + i) * n + column;
      if (bias != null) {
        kernels.add(sums, sum, bias, 4L * column, columns, sums, sum);
      }
      if (epilogue.columns() != null) {
        long source = (row + i) / rowsPerImage * n + column;
        add(epilogue.columns(), source, columns, sums, sum, operand);
      }
      if (epilogue.residual() != null) {
        add(epilogue.residual(), target, columns, sums, sum, operand);
      }
      if (dtype == DType.Plain.F32) {
        MemorySegment.copy(sums, sum, out.segment(), 4 * target, 4L * columns);
      } else {
        Unpack.floatToBf16(sums, sum, out.segment(), 2 * target, columns);
      }
    }
  }

  private void add(
      Tensor operand, long element, int count, MemorySegment sums, long sum, long scratchAt) {
    Unpack.toFloat(
        dtype, operand.segment(), element * dtype.blockBytes(), scratch, scratchAt, count);
    kernels.add(sums, sum, scratch, scratchAt, count, sums, sum);
  }
}
