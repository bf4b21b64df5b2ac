package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Scratch;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.List;

/// Products of activations with weights: the rows of all the weights are one range, shared out to
/// the workers in blocks; [RowProducts] decides how the rows of each are multiplied.
final class Linear {
  private final long[] rows;
  private final RowProduct[] products;
  private final Scratch[] scratch;

  /// @param rows the weight rows that each of the products handles
  private Linear(Context ctx, long[] rows, RowProduct[] products) {
    this.rows = rows;
    this.products = products;
    long bytes = 0;
    for (RowProduct product : products) {
      bytes = Math.max(bytes, product.scratchBytes());
    }
    scratch = new Scratch[ctx.workers().threads()];
    long stride = (bytes + 63) & -64;
    MemorySegment memory = ctx.workspace().take(stride * scratch.length);
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch(memory, i * stride);
    }
  }

  static Tensor[] apply(Context ctx, Tensor x, Tensor... weights) {
    var input = Activations.of(ctx, x);
    return apply(ctx, Collections.nCopies(weights.length, input), List.of(weights));
  }

  /// Of the i-th input with the i-th weight.
  static Tensor[] apply(Context ctx, List<Activations> x, List<Tensor> weights) {
    check(x, weights);
    var outs = outs(ctx, x, weights);
    var products = new RowProduct[outs.length];
    for (int i = 0; i < outs.length; i++) {
      products[i] = RowProducts.choose(ctx, x.get(i), ctx.dense(weights.get(i)), outs[i]);
    }
    new Linear(ctx, rows(weights), products).run(ctx);
    return outs;
  }

  /// `silu(x gate^T) * (x up^T)` of the i-th of each.
  static Tensor[] gated(Context ctx, List<Activations> x, List<Tensor> gates, List<Tensor> ups) {
    check(x, gates);
    check(x, ups);
    var outs = outs(ctx, x, gates);
    var products = new RowProduct[outs.length];
    for (int i = 0; i < outs.length; i++) {
      var gate = gates.get(i);
      var up = ups.get(i);
      Check.same("rows of up", up.dim(0), "rows of gate", gate.dim(0));
      products[i] = RowProducts.chooseGated(ctx, x.get(i), ctx.dense(gate), ctx.dense(up), outs[i]);
    }
    new Linear(ctx, rows(gates), products).run(ctx);
    return outs;
  }

  private static void check(List<Activations> x, List<Tensor> weights) {
    Check.same("weights", weights.size(), "inputs", x.size());
    for (int i = 0; i < weights.size(); i++) {
      var w = weights.get(i);
      Check.rank("weight", w, 2);
      Check.same("columns of the weight", w.dim(1), "columns of x", x.get(i).columns());
    }
  }

  private static Tensor[] outs(Context ctx, List<Activations> x, List<Tensor> weights) {
    var outs = new Tensor[weights.size()];
    for (int i = 0; i < outs.length; i++) {
      outs[i] = ctx.f32(x.get(i).rows(), weights.get(i).dim(0));
    }
    return outs;
  }

  private static long[] rows(List<Tensor> weights) {
    return weights.stream().mapToLong(w -> w.dim(0)).toArray();
  }

  private void run(Context ctx) {
    long blocks = 0;
    for (long n : rows) {
      blocks += Math.ceilDiv(n, (long) RowProduct.BLOCK);
    }
    ctx.forEach(blocks, 1, this::blocks);
  }

  private void blocks(int worker, long from, long to) {
    long first = 0;
    for (int i = 0; i < products.length; i++) {
      long count = Math.ceilDiv(rows[i], (long) RowProduct.BLOCK);
      long lo = Math.max(from - first, 0);
      long hi = Math.min(to - first, count);
      if (lo < hi) {
        products[i].multiply(
            scratch[worker], lo * RowProduct.BLOCK, Math.min(rows[i], hi * RowProduct.BLOCK));
      }
      first += count;
    }
  }
}
