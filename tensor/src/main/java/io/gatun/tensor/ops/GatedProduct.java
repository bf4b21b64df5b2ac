package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.Kernels;

/// `silu(gate) * up` of two products, a block of columns at a time while it is in the caches.
///
/// @param gate writes to `out`, which then gets the result
/// @param up writes to `upOut`
record GatedProduct(Kernels kernels, RowProduct gate, RowProduct up, Tensor out, Tensor upOut)
    implements RowProduct {
  @Override
  public long scratchBytes() {
    return Math.max(gate.scratchBytes(), up.scratchBytes());
  }

  @Override
  public void multiply(Scratch scratch, long from, long to) {
    long n = out.dim(1);
    for (long row = from; row < to; row += BLOCK) {
      long end = Math.min(to, row + BLOCK);
      gate.multiply(scratch, row, end);
      up.multiply(scratch, row, end);
      for (long t = 0; t < out.dim(0); t++) {
        long at = 4 * (t * n + row);
        kernels.siluMul(out.segment(), at, upOut.segment(), at, end - row, out.segment(), at);
      }
    }
  }
}
