package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/// Products of activations with weights: the rows of all the weights are one range, shared out to
/// the workers in blocks; [RowProducts] decides how the rows of each are multiplied.
final class Linear {
  private final Tensor[] weights;
  private final Tensor[] outs;
  private final RowProduct[] products;
  private final Scratch[] scratch;

  private Linear(Ops ops, Tensor x, Tensor[] weights) {
    this.weights = weights;
    outs = new Tensor[weights.length];
    products = new RowProduct[weights.length];
    var activations = new Activations(ops, x);
    long bytes = 0;
    for (int i = 0; i < weights.length; i++) {
      outs[i] = ops.empty(activations.rows(), weights[i].dim(0));
    }
    for (int i = 0; i < weights.length; i++) {
      products[i] = RowProducts.choose(ops, activations, weights[i], outs[i]);
      bytes = Math.max(bytes, products[i].scratchBytes());
    }
    scratch = new Scratch[ops.workers().threads()];
    long stride = (bytes + 63) & -64;
    MemorySegment memory = ops.workspace().take(stride * scratch.length);
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch(memory, i * stride);
    }
  }

  static Tensor[] apply(Ops ops, Tensor x, Tensor... weights) {
    Check.f32("x", x);
    long blocks = 0;
    for (Tensor w : weights) {
      Check.rank("weight", w, 2);
      Check.same("columns of the weight", w.dim(1), "columns of x", x.dim(-1));
      blocks += Math.ceilDiv(w.dim(0), (long) RowProduct.BLOCK);
    }
    var linear = new Linear(ops, x, weights);
    ops.workers().forEach(blocks, 1, linear::blocks);
    return linear.outs;
  }

  private void blocks(int worker, long from, long to) {
    long first = 0;
    for (int i = 0; i < weights.length; i++) {
      long n = weights[i].dim(0);
      long count = Math.ceilDiv(n, (long) RowProduct.BLOCK);
      long lo = Math.max(from - first, 0);
      long hi = Math.min(to - first, count);
      if (lo < hi) {
        products[i].multiply(
            scratch[worker], lo * RowProduct.BLOCK, Math.min(n, hi * RowProduct.BLOCK));
      }
      first += count;
    }
  }
}
