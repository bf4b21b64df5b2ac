package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;

/// Tiled weights as int8 panels, with activations rounded to 8 bits a row, through oneDNN.
final class PanelProduct implements RowProduct {
  /// Weight rows of a product, where there are as many: oneDNN is faster with more than a block.
  static final int COLUMNS = 2 * BLOCK;

  private final Activations x;
  private final Tensor w;
  private final Tensor out;
  private final Panels one;
  private final Panels two;

  PanelProduct(Activations x, Tensor w, Tensor out) {
    this.x = x;
    this.w = w;
    this.out = out;
    one = new Panels(x, BLOCK);
    two = new Panels(x, COLUMNS);
  }

  /// Whether the machine has fast int8 products that read such panels.
  static boolean supports(Activations x, Tensor w) {
    return Panels.supports(x, w, BLOCK) && Panels.supports(x, w, COLUMNS);
  }

  @Override
  public long scratchBytes() {
    return two.scratchBytes();
  }

  @Override
  public void multiply(Scratch scratch, long from, long to) {
    Panels panels;
    for (long row = from; row < to; row += panels.n()) {
      panels = to - row > BLOCK ? two : one;
      int count = (int) Math.min(panels.n(), to - row);
      panels.unpack(scratch, w, row, count, 0);
      for (int t = 0; t < x.rows(); t += Panels.ROWS) {
        panels
            .multiply(scratch, t, Math.min(Panels.ROWS, x.rows() - t))
            .store(count, out.segment(), 4 * (t * out.dim(1) + row), 4 * out.dim(1));
      }
    }
  }
}
