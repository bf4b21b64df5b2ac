package io.gatun.tensor.ops.rows;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;

/// Rows of scores: as probabilities, and which is the greatest.
public final class Softmax {
  private Softmax() {}

  public static void apply(Context ctx, Tensor x) {
    Check.f32("x", x);
    Check.writable("x", x);
    int n = Check.columns("x", x);
    var kernels = ctx.kernels();
    ctx.each(
        x.size() / n,
        Context.grain(n),
        (worker, t) -> {
          long at = 4 * t * n;
          float sum = kernels.expSum(x.segment(), at, kernels.max(x.segment(), at, n), n);
          kernels.scale(x.segment(), at, 1 / sum, n, x.segment(), at);
        });
  }

  public static float[] log(Context ctx, Tensor x, int[] columns) {
    Check.f32("x", x);
    Check.writable("x", x);
    int n = Check.columns("x", x);
    Check.same("columns", columns.length, "rows", x.size() / n);
    for (int column : columns) {
      Check.index("column", column, n);
    }
    var out = new float[columns.length];
    var kernels = ctx.kernels();
    ctx.forEach(
        out.length,
        Context.grain(n),
        (worker, from, to) -> {
          for (int t = (int) from; t < to; t++) {
            long at = 4L * t * n;
            float chosen = Floats.get(x.segment(), at, columns[t]);
            float max = kernels.max(x.segment(), at, n);
            out[t] = chosen - max - (float) Math.log(kernels.expSum(x.segment(), at, max, n));
          }
        });
    return out;
  }

  public static int argmax(Context ctx, Tensor x, long row) {
    Check.rank("x", x, 2);
    Check.f32("x", x);
    Check.index("row", row, x.dim(0));
    long n = x.dim(1);
    float max = ctx.kernels().max(x.segment(), 4 * row * n, n);
    for (int i = 0; i < n; i++) {
      if (Floats.get(x.segment(), 4 * row * n, i) == max) {
        return i;
      }
    }
    throw new IllegalArgumentException("row " + row + " has no greatest element: it holds NaN");
  }
}
