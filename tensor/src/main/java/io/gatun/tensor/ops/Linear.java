package io.gatun.tensor.ops;

import io.gatun.ffm.OpenBlas;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.Floats;
import io.gatun.tensor.kernel.Kernels;
import java.lang.foreign.MemorySegment;

/// Products of activations with weights: the rows of all the weights are one range, shared out to
/// the workers; the type of a weight decides which kernel multiplies its rows.
final class Linear {
  /// From so many activation rows on a matrix product beats row-by-row dot products.
  private static final int GEMM_ROWS = 16;

  /// Weight rows that are converted to F32 at a time.
  private static final int BLOCK = 32;

  private final Ops ops;
  private final Kernels kernels;
  private final Tensor x;
  private final Tensor[] weights;
  private final Tensor[] outs;
  private final int rows;
  private final int k;
  private final MemorySegment scratch;
  private final long scratchBytes;

  private Linear(Ops ops, Tensor x, Tensor[] weights) {
    this.ops = ops;
    this.kernels = ops.kernels();
    this.x = x;
    this.weights = weights;
    k = Math.toIntExact(x.dim(-1));
    rows = Math.toIntExact(x.size() / k);
    outs = new Tensor[weights.length];
    for (int i = 0; i < weights.length; i++) {
      outs[i] = ops.empty(rows, weights[i].dim(0));
    }
    scratchBytes = 4L * BLOCK * k;
    scratch = ops.workspace().take(scratchBytes * ops.workers().threads());
  }

  static Tensor[] apply(Ops ops, Tensor x, Tensor... weights) {
    Check.f32("x", x);
    for (Tensor w : weights) {
      Check.rank("weight", w, 2);
      Check.same("columns of the weight", w.dim(1), "columns of x", x.dim(-1));
    }
    var linear = new Linear(ops, x, weights);
    long blocks = 0;
    for (Tensor w : weights) {
      blocks += Math.ceilDiv(w.dim(0), (long) BLOCK);
    }
    ops.workers().forEach(blocks, 1, linear::blocks);
    return linear.outs;
  }

  private void blocks(int worker, long from, long to) {
    long first = 0;
    for (int i = 0; i < weights.length; i++) {
      long n = weights[i].dim(0);
      long count = Math.ceilDiv(n, (long) BLOCK);
      long lo = Math.max(from - first, 0);
      long hi = Math.min(to - first, count);
      if (lo < hi) {
        multiply(worker, weights[i], outs[i], lo * BLOCK, Math.min(n, hi * BLOCK));
      }
      first += count;
    }
  }

  /// The columns `from` .. `to`-1 of `out`, which are rows of `w`.
  private void multiply(int worker, Tensor w, Tensor out, long from, long to) {
    if (w.dtype() == DType.Plain.F32) {
      product(w.segment(), 4 * from * k, out, from, (int) (to - from));
      return;
    }
    long at = worker * scratchBytes;
    for (long row = from; row < to; row += BLOCK) {
      int count = (int) Math.min(BLOCK, to - row);
      WeightRows.toFloat(ops.backend(), w, row, count, scratch, at);
      product(scratch, at, out, row, count);
    }
  }

  /// `out[:, column..column+count] = x b^T` with b (count, K) F32.
  private void product(MemorySegment b, long bAt, Tensor out, long column, int count) {
    int n = Math.toIntExact(out.dim(1));
    if (ops.backend() == Backend.NATIVE && rows >= GEMM_ROWS && OpenBlas.isAvailable()) {
      OpenBlas.sgemm(
          false,
          true,
          rows,
          count,
          k,
          1,
          x.segment(),
          k,
          b.asSlice(bAt),
          k,
          0,
          out.segment().asSlice(4 * column),
          n);
      return;
    }
    for (int j = 0; j < count; j++) {
      for (long t = 0; t < rows; t++) {
        float dot = kernels.dot(x.segment(), 4 * t * k, b, bAt + 4L * j * k, k);
        Floats.set(out.segment(), 0, t * n + column + j, dot);
      }
    }
  }
}
