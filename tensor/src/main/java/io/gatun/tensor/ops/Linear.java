package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/// Products of activations with weights: the rows of all the weights are one range, shared out to
/// the workers in blocks; [RowProducts] decides how the rows of each are multiplied.
final class Linear {
  private final long[] rows;
  private final RowProduct[] products;
  private final Scratch[] scratch;

  /// @param rows the weight rows that each of the products handles
  private Linear(Ops ops, long[] rows, RowProduct[] products) {
    this.rows = rows;
    this.products = products;
    long bytes = 0;
    for (RowProduct product : products) {
      bytes = Math.max(bytes, product.scratchBytes());
    }
    scratch = new Scratch[ops.workers().threads()];
    long stride = (bytes + 63) & -64;
    MemorySegment memory = ops.workspace().take(stride * scratch.length);
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch(memory, i * stride);
    }
  }

  static Tensor[] apply(Ops ops, Activations x, Tensor... weights) {
    check(x, weights);
    var outs = new Tensor[weights.length];
    var rows = new long[weights.length];
    var products = new RowProduct[weights.length];
    for (int i = 0; i < weights.length; i++) {
      rows[i] = weights[i].dim(0);
      outs[i] = ops.empty(x.rows(), rows[i]);
    }
    for (int i = 0; i < weights.length; i++) {
      products[i] = RowProducts.choose(ops, x, ops.dense(weights[i]), outs[i]);
    }
    new Linear(ops, rows, products).run(ops.workers());
    return outs;
  }

  /// `silu(x gate^T) * (x up^T)`.
  static Tensor gated(Ops ops, Activations x, Tensor gate, Tensor up) {
    check(x, gate, up);
    Check.same("rows of up", up.dim(0), "rows of gate", gate.dim(0));
    var out = ops.empty(x.rows(), gate.dim(0));
    var product = RowProducts.chooseGated(ops, x, ops.dense(gate), ops.dense(up), out);
    new Linear(ops, new long[] {gate.dim(0)}, new RowProduct[] {product}).run(ops.workers());
    return out;
  }

  private static void check(Activations x, Tensor... weights) {
    for (Tensor w : weights) {
      Check.rank("weight", w, 2);
      Check.same("columns of the weight", w.dim(1), "columns of x", x.columns());
    }
  }

  private void run(Workers workers) {
    long blocks = 0;
    for (long n : rows) {
      blocks += Math.ceilDiv(n, (long) RowProduct.BLOCK);
    }
    workers.forEach(blocks, 1, this::blocks);
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
