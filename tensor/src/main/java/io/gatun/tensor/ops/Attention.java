package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import java.util.List;

/// Checks an attention and chooses how it is done.
final class Attention {
  private Attention() {}

  static Tensor apply(
      Context ctx, Tensor q, Tensor k, Tensor v, int heads, float scale, AttentionBias bias) {
    Check.rank("q", q, 3);
    Check.rank("k", k, 3);
    Check.rank("v", v, 3);
    check(ctx, q, k, v, heads);
    Check.same("batches of k", k.dim(0), "batches of q", q.dim(0));
    Check.same("batches of v", v.dim(0), "batches of q", q.dim(0));
    Check.same("rows of v", v.dim(1), "rows of k", k.dim(1));
    Check.same("columns of k", k.dim(2), "columns of q", q.dim(2));
    Check.same("columns of v", v.dim(2), "columns of q", q.dim(2));
    if (k.dim(1) == 0) {
      throw new IllegalArgumentException("attention needs keys; k has shape " + k.shape());
    }
    checkBias(q, k, heads, bias);
    var out = ctx.empty(q.dim(0), q.dim(1), q.dim(2));
    if (out.size() > 0) {
      into(ctx, q, k, v, heads, scale, bias, out);
    }
    return out;
  }

  /// Fills `out`, which is not empty; everything fits.
  static void into(
      Context ctx,
      Tensor q,
      Tensor k,
      Tensor v,
      int heads,
      float scale,
      AttentionBias bias,
      Tensor out) {
    try (var _ = ctx.scope()) {
      if (ctx.backend() == Backend.SCALAR) {
        new ScalarAttention(ctx, q, k, v, heads, scale, bias, out).run();
      } else {
        inBlocks(ctx, apart(ctx, q), apart(ctx, k), apart(ctx, v), heads, scale, bias, out);
      }
    }
  }

  /// Rows that do not overlap, as those of a repeated row do: products want them so.
  private static Tensor apart(Context ctx, Tensor t) {
    return t.dim(1) > 1 && t.stride(1) < t.dim(2) ? ctx.dense(t) : t;
  }

  private static void inBlocks(
      Context ctx,
      Tensor q,
      Tensor k,
      Tensor v,
      int heads,
      float scale,
      AttentionBias bias,
      Tensor out) {
    var sizes = AttentionSizes.of(q, k, heads, bias);
    var table =
        bias instanceof AttentionBias.RelativePositions r ? new RelativeTable(ctx, r) : null;
    var products =
        ctx.usesOneDnn()
            ? new OneDnnAttentionProducts(ctx, q, k, v, sizes, table)
            : new F32AttentionProducts(ctx, q, k, v, sizes, table);
    var attention = new BlockAttention(ctx, sizes, products, table, bias, scale, out);
    BlockAttention.run(ctx, List.of(attention));
  }

  /// Checks that the innermost dimension of each is `heads` heads of the activations' type.
  static void check(Context ctx, Tensor q, Tensor k, Tensor v, int heads) {
    if (heads < 1) {
      throw new IllegalArgumentException("heads is " + heads + "; need at least 1");
    }
    check(ctx, "q", q, heads);
    check(ctx, "k", k, heads);
    check(ctx, "v", v, heads);
  }

  private static void check(Context ctx, String name, Tensor t, int heads) {
    Check.same("columns of " + name + " modulo heads", t.dim(-1) % heads, "needed", 0);
    if (t.dtype() != ctx.dtype() || (t.dim(-1) > 1 && t.stride(t.shape().rank() - 1) != 1)) {
      throw new IllegalArgumentException(
          "%s is %s %s; need %s, the activations' type, with no gaps between columns"
              .formatted(name, t.dtype().name(), t.shape(), ctx.dtype().name()));
    }
  }

  private static void checkBias(Tensor q, Tensor k, int heads, AttentionBias bias) {
    switch (bias) {
      case AttentionBias.None() -> {}
      case AttentionBias.Causal() ->
          Check.same("keys of causal attention", k.dim(1), "queries", q.dim(1));
      case AttentionBias.Window(int _) ->
          Check.same("keys of attention in a window", k.dim(1), "queries", q.dim(1));
      case AttentionBias.RelativePositions(Tensor height, Tensor width, int rows, int columns) -> {
        Check.rank("relative positions in height", height, 2);
        Check.rank("relative positions in width", width, 2);
        Check.f32("relative positions in height", height);
        Check.f32("relative positions in width", width);
        Check.same("queries", q.dim(1), "cells of the grid", (long) rows * columns);
        Check.same("keys", k.dim(1), "cells of the grid", (long) rows * columns);
        Check.same("relative positions in height", height.dim(1), "head size", q.dim(2) / heads);
        Check.same("relative positions in width", width.dim(1), "head size", q.dim(2) / heads);
      }
    }
  }
}
