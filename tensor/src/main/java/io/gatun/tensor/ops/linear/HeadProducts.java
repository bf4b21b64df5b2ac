package io.gatun.tensor.ops.linear;

import io.gatun.ffm.OpenBlas;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Gemm;
import io.gatun.tensor.ops.context.WeightRows;
import java.lang.foreign.MemorySegment;

/// Products in which each head has a matrix of its own; the workers share the heads.
public final class HeadProducts {
  /// From so many rows on OpenBLAS beats dot products.
  private static final int NATIVE_ROWS = 16;

  private final Context ctx;
  private final Tensor x;
  private final Tensor w;
  private final boolean transposed;
  private final Tensor out;
  private final int rows;
  private final int k;
  private final int n;
  private final boolean whole;
  private final long stride;
  private final MemorySegment scratch;

  private HeadProducts(Context ctx, Tensor x, Tensor w, boolean transposed, Tensor out) {
    this.ctx = ctx;
    this.x = x;
    this.w = w;
    this.transposed = transposed;
    this.out = out;
    rows = Math.toIntExact(x.dim(0));
    k = Math.toIntExact(x.dim(2));
    n = Math.toIntExact(out.dim(2));
    boolean many = rows >= NATIVE_ROWS && !ctx.rowsAlike();
    whole = transposed || (many && ctx.hasBlas());
    stride = 4L * k * (whole ? n : 1) + 63 & -64;
    scratch = ctx.perWorker(stride);
  }

  /// As [io.gatun.tensor.ops.Ops#headProducts].
  public static void apply(Context ctx, Tensor x, Tensor w, boolean transposed, Tensor out) {
    Check.rank("x", x, 3);
    Check.dtype("x", x, DType.Plain.F32);
    Check.rank("out", out, 3);
    if (out.dtype() != DType.Plain.F32 || out.stride(2) != 1) {
      throw new IllegalArgumentException(
          "out is %s %s; need F32 whose heads have no gaps"
              .formatted(out.dtype().name(), out.shape()));
    }
    Check.writable("out", out);
    Check.rank("w", w, 3);
    Check.same("heads of x", x.dim(1), "matrices", w.dim(0));
    Check.same("heads of out", out.dim(1), "matrices", w.dim(0));
    Check.same("rows of out", out.dim(0), "rows of x", x.dim(0));
    Check.same("columns of x", x.dim(2), "of the matrices", w.dim(transposed ? 1 : 2));
    Check.same("columns of out", out.dim(2), "of the results", w.dim(transposed ? 2 : 1));
    if (x.size() == 0) {
      return;
    }
    try (var _ = ctx.scope()) {
      var input = x.stride(2) == 1 && x.stride(0) >= x.dim(2) ? x : ctx.dense(x);
      var matrices = w.get(0).isContiguous() ? w : ctx.dense(w);
      var products = new HeadProducts(ctx, input, matrices, transposed, out);
      ctx.forEach(w.dim(0), 1, products::heads);
    }
  }

  private void heads(int worker, long from, long to) {
    for (long h = from; h < to; h++) {
      var matrix = w.get(h);
      long xAt = 4 * h * x.stride(1);
      long outAt = 4 * h * out.stride(1);
      if (whole) {
        product(matrix, worker * stride, xAt, outAt);
      } else {
        dots(matrix, worker * stride, xAt, outAt);
      }
    }
  }

  private void product(Tensor matrix, long at, long xAt, long outAt) {
    boolean f32 = matrix.dtype() == DType.Plain.F32;
    if (!f32) {
      WeightRows.toFloat(ctx.backend(), matrix, 0, Math.toIntExact(matrix.dim(0)), scratch, at);
    }
    var b = f32 ? matrix.segment() : scratch;
    long bAt = f32 ? 0 : at;
    int lda = Math.toIntExact(x.stride(0));
    int ldc = Math.toIntExact(out.stride(0));
    if (transposed) {
      Gemm.multiply(
          ctx, x.segment(), xAt, lda, b, bAt, n, out.segment(), outAt, ldc, rows, n, k, false);
    } else {
      OpenBlas.sgemm(
          false,
          true,
          rows,
          n,
          k,
          1,
          x.segment().asSlice(xAt),
          lda,
          b.asSlice(bAt),
          k,
          0,
          out.segment().asSlice(outAt),
          ldc);
    }
  }

  private void dots(Tensor matrix, long at, long xAt, long outAt) {
    boolean f32 = matrix.dtype() == DType.Plain.F32;
    for (int j = 0; j < n; j++) {
      if (!f32) {
        WeightRows.toFloat(ctx.backend(), matrix, j, 1, scratch, at);
      }
      var row = f32 ? matrix.segment() : scratch;
      long rowAt = f32 ? 4L * j * k : at;
      for (long t = 0; t < rows; t++) {
        float dot = ctx.kernels().dot(x.segment(), xAt + 4 * t * x.stride(0), row, rowAt, k);
        Floats.set(out.segment(), outAt, t * out.stride(0) + j, dot);
      }
    }
  }
}
