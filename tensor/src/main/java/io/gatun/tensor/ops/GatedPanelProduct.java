package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.Kernels;
import io.gatun.tensor.ops.context.Scratch;

/// `silu(gate) * up` of the products with two weights as [PanelProduct] makes them, which go
/// through oneDNN side by side and meet before anything is stored.
final class GatedPanelProduct implements RowProduct {
  /// Rows of either weight in a product.
  private static final int HALF = BLOCK / 2;

  private final Kernels kernels;
  private final Activations x;
  private final Tensor gate;
  private final Tensor up;
  private final Tensor out;
  private final Panels panels;

  GatedPanelProduct(Kernels kernels, Activations x, Tensor gate, Tensor up, Tensor out) {
    this.kernels = kernels;
    this.x = x;
    this.gate = gate;
    this.up = up;
    this.out = out;
    panels = new Panels(x, 2 * HALF);
  }

  @Override
  public long scratchBytes() {
    return panels.scratchBytes();
  }

  @Override
  public void multiply(Scratch scratch, long from, long to) {
    for (long row = from; row < to; row += HALF) {
      int count = (int) Math.min(HALF, to - row);
      panels.unpack(scratch, gate, row, count, 0);
      panels.unpack(scratch, up, row, count, HALF);
      for (int t = 0; t < x.rows(); t += Panels.ROWS) {
        var products = panels.multiply(scratch, t, Math.min(Panels.ROWS, x.rows() - t));
        products.toFloats();
        for (int i = 0; i < products.rows(); i++) {
          long at = products.products() + 4L * i * 2 * HALF;
          kernels.siluMul(
              products.memory(),
              at,
              products.memory(),
              at + 4 * HALF,
              count,
              out.segment(),
              4 * ((t + i) * out.dim(1) + row));
        }
      }
    }
  }
}
