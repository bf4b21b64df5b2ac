package io.gatun.tensor.ops.linear;

import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.WeightLayout;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.rows.F32Epilogue;
import java.util.List;

/// Products of two activations, batch by batch: `a b^T`.
public final class BatchedProduct {
  /// Rows of b, and so columns of the result, in a task.
  private static final int COLUMNS = 256;

  private BatchedProduct() {}

  public static Tensor apply(Context ctx, Tensor a, Tensor b) {
    Check.rank("a", a, 3);
    Check.rank("b", b, 3);
    Check.activations("a", a, ctx.dtype());
    Check.activations("b", b, ctx.dtype());
    Check.same("batches of a", a.dim(0), "batches of b", b.dim(0));
    Check.same("columns of a", a.dim(2), "columns of b", b.dim(2));
    var out = ctx.empty(a.dim(0), a.dim(1), b.dim(1));
    if (ctx.usesOneDnn()) {
      multiply(ctx, a, b, out);
      return out;
    }
    for (long batch = 0; batch < a.dim(0); batch++) {
      try (var _ = ctx.scope()) {
        var rest = new F32Epilogue(ctx, null, null, Epilogue.NONE, out.get(batch));
        var input = Input.of(ctx, a.get(batch));
        Linear.run(ctx, LinearPlan.finished(ctx, input, b.get(batch), rest, 0));
      }
    }
    return out;
  }

  private static void multiply(Context ctx, Tensor a, Tensor b, Tensor out) {
    var type = ctx.elementType();
    int m = Math.toIntExact(a.dim(1));
    int n = Math.toIntExact(b.dim(1));
    int k = Math.toIntExact(a.dim(2));
    int blocks = Math.ceilDiv(n, COLUMNS);
    ctx.each(
        a.dim(0) * blocks,
        1,
        (worker, task) -> {
          long batch = task / blocks;
          long first = task % blocks * COLUMNS;
          int count = (int) Math.min(COLUMNS, n - first);
          var spec =
              new MatmulSpec(
                  m, count, k, type, type, type, k, WeightLayout.transposed(k), n, null, List.of());
          OneDnn.matmul(
              spec,
              a.segment().asSlice(batch * m * k * type.bytes()),
              b.segment().asSlice((batch * n + first) * k * type.bytes()),
              out.segment().asSlice((batch * m * n + first) * type.bytes()));
        });
  }
}
