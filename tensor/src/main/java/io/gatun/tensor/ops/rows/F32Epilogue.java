package io.gatun.tensor.ops.rows;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.Kernels;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.RowMap;
import java.lang.foreign.MemorySegment;

/// What happens to F32 sums before they are stored as activations: scales, bias and [Epilogue].
public final class F32Epilogue {
  private final Context ctx;
  private final Kernels kernels;
  private final MemorySegment scales;
  private final MemorySegment bias;
  private final Epilogue epilogue;
  private final Tensor out;
  private final int n;
  private final long rowsPerImage;
  private final MemorySegment scratch;

  /// Checks the operands of `epilogue`.
  ///
  /// @param out the result (B, ..., N)
  /// @throws IllegalArgumentException if an operand does not fit it
  public static void check(Context ctx, Epilogue epilogue, Tensor out) {
    var columns = epilogue.columns();
    var residual = epilogue.residual();
    if (columns != null) {
      Check.activations("columns", columns, ctx.dtype());
      Check.rank("columns", columns, 2);
      Check.same("images of columns", columns.dim(0), "images of x", out.dim(0));
      Check.same("features of columns", columns.dim(1), "features", out.dim(-1));
    }
    if (residual != null) {
      Check.activations("residual", residual, ctx.dtype());
      if (!residual.shape().equals(out.shape())) {
        throw new IllegalArgumentException(
            "residual has shape %s; need the result's, %s"
                .formatted(residual.shape(), out.shape()));
      }
    }
  }

  /// @param scales (N) F32 that the sums are multiplied with first; null for none
  /// @param bias (N) F32; null for none
  /// @param out (B, ..., N)
  public F32Epilogue(
      Context ctx, MemorySegment scales, MemorySegment bias, Epilogue epilogue, Tensor out) {
    this.scales = scales;
    this.ctx = ctx;
    this.kernels = ctx.kernels();
    this.bias = bias;
    this.epilogue = epilogue;
    this.out = out;
    this.n = Math.toIntExact(out.dim(-1));
    this.rowsPerImage = out.size() / n / out.dim(0);
    this.scratch = ctx.perWorker(4L * n);
  }

  /// Finishes and stores columns `column` .. `column + columns` of rows `row` .. `row + rows` of
  /// the result, whose sums lie at `at` in `sums`, `stride` elements apart, and are overwritten.
  public void store(
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
      if (scales != null) {
        kernels.mul(sums, sum, scales, 4L * column, columns, sums, sum);
      }
      if (bias != null) {
        kernels.add(sums, sum, bias, 4L * column, columns, sums, sum);
      }
      if (epilogue.columns() != null) {
        long source = (row + i) / rowsPerImage * n + column;
        add(epilogue.columns(), source, columns, sums, sum, operand);
      }
      Elementwise.apply(ctx.networkKernels(), epilogue.activation(), sums, sum, columns, sums, sum);
      if (epilogue.residual() != null) {
        add(epilogue.residual(), target, columns, sums, sum, operand);
      }
      RowMap.store(ctx.backend(), sums, sum, out, target, columns);
    }
  }

  private void add(
      Tensor operand, long element, int count, MemorySegment sums, long sum, long scratchAt) {
    RowMap.load(ctx.backend(), operand, element, count, scratch, scratchAt);
    kernels.add(sums, sum, scratch, scratchAt, count, sums, sum);
  }
}
