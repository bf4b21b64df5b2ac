package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.RowDots;
import io.gatun.tensor.ops.context.Scratch;
import java.lang.foreign.MemorySegment;

/// Weights in their file's own format, a row at a time, times a few activation rows, without
/// unpacking.
final class RowDotProduct implements RowProduct {
  private final Activations x;
  private final Tensor w;
  private final Tensor out;
  private final MemorySegment f32;

  RowDotProduct(Activations x, Tensor w, Tensor out) {
    this.x = x;
    f32 = x.f32();
    this.w = w;
    this.out = out;
  }

  /// Whether there is a kernel for the weight.
  static boolean supports(Tensor w) {
    return RowDots.supports(w.dtype(), Math.toIntExact(w.dim(1)));
  }

  @Override
  public void multiply(Scratch scratch, long from, long to) {
    int k = x.columns();
    for (long t = 0; t < x.rows(); t++) {
      RowDots.multiply(
          w.dtype(),
          w.segment(),
          0,
          k,
          f32,
          4 * t * k,
          from,
          to,
          out.segment(),
          4 * t * out.dim(1));
    }
  }
}
