package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Scratch;
import java.lang.foreign.MemorySegment;

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
    return apply(ctx, Activations.of(ctx, x), weights);
  }

  static Tensor[] apply(Context ctx, Activations x, Tensor... weights) {
    check(x, weights);
    var outs = new Tensor[weights.length];
    var rows = new long[weights.length];
    var products = new RowProduct[weights.length];
    for (int i = 0; i < weights.length; i++) {
      rows[i] = weights[i].dim(0);
      outs[i] = ctx.f32(x.rows(), rows[i]);
    }
    for (int i = 0; i < weights.length; i++) {
      products[i] = RowProducts.choose(ctx, x, ctx.dense(weights[i]), outs[i]);
    }
    new Linear(ctx, rows, products).run(ctx);
    return outs;
  }

  /// `silu(x gate^T) * (x up^T)`.
  static Tensor gated(Context ctx, Activations x, Tensor gate, Tensor up) {
    check(x, gate, up);
    Check.same("rows of up", up.dim(0), "rows of gate", gate.dim(0));
    var out = ctx.f32(x.rows(), gate.dim(0));
    var product = RowProducts.chooseGated(ctx, x, ctx.dense(gate), ctx.dense(up), out);
    new Linear(ctx, new long[] {gate.dim(0)}, new RowProduct[] {product}).run(ctx);
    return out;
  }

  private static void check(Activations x, Tensor... weights) {
    for (Tensor w : weights) {
      Check.rank("weight", w, 2);
      Check.same("columns of the weight", w.dim(1), "columns of x", x.columns());
    }
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
