package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Scratch;

/// Tiled weights as int8 panels, with activations rounded to 8 bits a row, through oneDNN.
final class PanelProduct implements RowProduct {
  private final Activations x;
  private final Tensor w;
  private final Tensor out;
  private final Panels panels;

  PanelProduct(Activations x, Tensor w, Tensor out) {
    this.x = x;
    this.w = w;
    this.out = out;
    panels = new Panels(x, BLOCK);
  }

  /// Whether the machine has fast int8 products that read such panels.
  static boolean supports(Activations x, Tensor w) {
    return Panels.supports(x, w, BLOCK);
  }

  @Override
  public long scratchBytes() {
    return panels.scratchBytes();
  }

  @Override
  public void multiply(Scratch scratch, long from, long to) {
    for (long row = from; row < to; row += BLOCK) {
      int count = (int) Math.min(BLOCK, to - row);
      panels.unpack(scratch, w, row, count, 0);
      for (int t = 0; t < x.rows(); t += Panels.ROWS) {
        panels
            .multiply(scratch, t, Math.min(Panels.ROWS, x.rows() - t))
            .store(count, out.segment(), 4 * (t * out.dim(1) + row), 4 * out.dim(1));
      }
    }
  }
}
