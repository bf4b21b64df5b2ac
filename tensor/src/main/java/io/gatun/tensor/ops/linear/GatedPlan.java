package io.gatun.tensor.ops.linear;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.Kernels;
import io.gatun.tensor.ops.context.Scratch;

/// `silu(gate) * up` of two plans, some columns at a time while they are in the caches.
///
/// @param gate writes to `out`, which then gets the result
/// @param up writes to `upOut`
record GatedPlan(Kernels kernels, RowPlan gate, RowPlan up, Tensor out, Tensor upOut)
    implements RowPlan {
  /// The elements that each of the plans makes before they meet: a part of a core's second cache.
  private static final long CACHED = 32 << 10;

  @Override
  public long weightRows() {
    return gate.weightRows();
  }

  @Override
  public int block() {
    return Math.max(gate.block(), up.block());
  }

  @Override
  public long scratchBytes() {
    return Math.max(gate.scratchBytes(), up.scratchBytes());
  }

  @Override
  public void multiply(int worker, Scratch scratch, long from, long to) {
    long step = Math.max(1, CACHED / out.dim(0) / block()) * block();
    for (long first = from, end; first < to; first = end) {
      end = Math.min(to, first + step);
      gate.multiply(worker, scratch, first, end);
      up.multiply(worker, scratch, first, end);
      for (long t = 0; t < out.dim(0); t++) {
        long at = 4 * (t * out.dim(1) + first);
        kernels.siluMul(out.segment(), at, upOut.segment(), at, end - first, out.segment(), at);
      }
    }
  }
}
