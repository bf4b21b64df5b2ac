package io.gatun.tensor.ops.linear;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.tiled.TiledProduct;
import io.gatun.tensor.ops.context.Scratch;

/// Tiled weights times activations that are rounded to 8 bits by groups of 32, on the Vector API.
final class TiledPlan implements RowPlan {
  private static final int ROWS = DType.Tiled.ROWS;

  private final long rows;
  private final TiledProduct product;

  TiledPlan(Input x, Tensor w, Tensor out) {
    rows = w.dim(0);
    var type = (DType.Tiled) w.dtype();
    product =
        new TiledProduct(
            type,
            w.segment(),
            0,
            Math.toIntExact(w.dim(0)),
            x.columns(),
            x.quantized(TiledProduct.activationBits(type)),
            x.rows(),
            out.segment(),
            0,
            4 * out.dim(1));
  }

  /// Whether there is a kernel for the weight.
  static boolean supports(Tensor w) {
    return w.dtype() instanceof DType.Tiled type && TiledProduct.supports(type);
  }

  @Override
  public long weightRows() {
    return rows;
  }

  @Override
  public int block() {
    return ROWS;
  }

  @Override
  public long scratchBytes() {
    return TiledProduct.SCRATCH_BYTES;
  }

  @Override
  public void multiply(int worker, Scratch scratch, long from, long to) {
    product.multiply(
        (int) (from / ROWS), Math.ceilDiv((int) to, ROWS), scratch.memory(), scratch.at());
  }
}
