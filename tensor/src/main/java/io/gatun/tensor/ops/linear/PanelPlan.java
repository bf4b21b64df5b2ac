package io.gatun.tensor.ops.linear;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.Int8Products;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Scratch;

/// Tiled weights as int8 panels, with activations rounded to 8 bits a row, through oneDNN. Gates
/// and what they gate go side by side, and meet before anything is stored.
final class PanelPlan implements RowPlan {
  private final Context ctx;
  private final Input x;
  private final Tensor out;
  private final Tensor[] weights;
  private final int rowsOfEach;
  private final Panels panels;

  /// @param weights one, or two for `silu(first) * second`
  PanelPlan(Context ctx, Input x, Tensor out, Tensor... weights) {
    this.ctx = ctx;
    this.x = x;
    this.out = out;
    this.weights = weights;
    rowsOfEach = BLOCK / weights.length;
    panels = new Panels(ctx, x, BLOCK);
  }

  @Override
  public long weightRows() {
    return out.dim(1);
  }

  @Override
  public long scratchBytes() {
    return panels.scratchBytes();
  }

  @Override
  public void multiply(int worker, Scratch scratch, long from, long to) {
    for (long row = from; row < to; row += rowsOfEach) {
      int count = (int) Math.min(rowsOfEach, to - row);
      for (int i = 0; i < weights.length; i++) {
        panels.unpack(scratch, weights[i], row, count, i * rowsOfEach);
      }
      for (int t = 0; t < x.rows(); t += Panels.ROWS) {
        var products = panels.multiply(scratch, t, Math.min(Panels.ROWS, x.rows() - t));
        long at = 4 * (t * out.dim(1) + row);
        if (weights.length == 1) {
          products.toFloats(count, out.segment(), at, 4 * out.dim(1));
        } else {
          storeGated(products, count, at);
        }
      }
    }
  }

  private void storeGated(Int8Products products, int count, long to) {
    products.toFloats();
    var memory = products.products();
    for (int i = 0; i < products.rows(); i++) {
      long gate = 4L * i * BLOCK;
      long up = gate + 4L * rowsOfEach;
      ctx.kernels()
          .siluMul(memory, gate, memory, up, count, out.segment(), to + 4L * i * out.dim(1));
    }
  }
}
