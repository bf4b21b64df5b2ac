package io.gatun.tensor.ops.linear;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.OpenBlas;
import io.gatun.ffm.WeightLayout;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.context.Scratch;
import io.gatun.tensor.ops.context.WeightRows;
import java.lang.foreign.MemorySegment;

/// Weights of any type, a block of rows at a time, unpacked where they are not, through native
/// products with F32 sums: oneDNN's, of BF16, to which activations are rounded, or of F32, or
/// OpenBLAS's.
final class UnpackedPlan implements RowPlan {
  enum Product {
    ONEDNN_BF16,
    ONEDNN_F32,
    OPENBLAS
  }

  /// What OpenBLAS multiplies at a time: it rearranges both operands in each call, which takes half
  /// of the time if there are few columns, and leaves the caches if there are many rows.
  private static final int BLAS_ROWS = 256;

  private static final int BLAS_COLUMNS = 4 * BLOCK;

  private final Tensor w;
  private final Tensor out;
  private final Product product;
  private final DType.Plain type;
  private final MemorySegment input;
  private final int rows;
  private final int k;

  UnpackedPlan(Input x, Tensor w, Tensor out, Product product) {
    this.w = w;
    this.out = out;
    this.product = product;
    boolean bf16 = product == Product.ONEDNN_BF16;
    type = bf16 ? DType.Plain.BF16 : DType.Plain.F32;
    input = bf16 ? x.bf16() : x.f32();
    rows = x.rows();
    k = x.columns();
  }

  @Override
  public long weightRows() {
    return w.dim(0);
  }

  @Override
  public int block() {
    return product == Product.OPENBLAS ? BLAS_COLUMNS : BLOCK;
  }

  @Override
  public long scratchBytes() {
    // BF16, and behind them F32 on their way to it.
    return w.dtype() == type ? 0 : (type == DType.Plain.BF16 ? 6L : 4L) * block() * k;
  }

  @Override
  public void multiply(int worker, Scratch scratch, long from, long to) {
    // Always as many rows at a time: a library may sum up in another order for another number, and
    // a worker gets more or fewer depending on how many there are.
    for (long row = from; row < to; row += block()) {
      int count = (int) Math.min(block(), to - row);
      multiply(rows(scratch, row, count), count, out.segment().asSlice(4 * row));
    }
  }

  private MemorySegment rows(Scratch scratch, long row, int count) {
    if (w.dtype() == type) {
      long bytes = type.blockBytes();
      return w.segment().asSlice(row * k * bytes, count * k * bytes);
    }
    var memory = scratch.memory();
    if (type == DType.Plain.BF16) {
      long bytes = 2L * block() * k;
      var unpacked = memory.asSlice(scratch.at(), bytes);
      WeightRows.toBf16(w, row, count, unpacked, memory, scratch.at() + bytes);
      return unpacked;
    }
    WeightRows.toFloat(Backend.NATIVE, w, row, count, memory, scratch.at());
    return memory.asSlice(scratch.at());
  }

  private void multiply(MemorySegment b, int n, MemorySegment target) {
    int ldc = (int) out.dim(1);
    for (int row = 0, m; row < rows; row += m) {
      var a = input.asSlice(type.blockBytes() * row * k);
      var c = target.asSlice(4L * row * ldc);
      if (product == Product.OPENBLAS) {
        m = Math.min(BLAS_ROWS, rows - row);
        OpenBlas.sgemm(false, true, m, n, k, 1, a, k, b, k, 0, c, ldc);
      } else {
        m = PackedPlan.rowsAtOnce(rows - row);
        var e = type == DType.Plain.BF16 ? ElementType.BF16 : ElementType.F32;
        var spec =
            MatmulSpec.of(m, n, k, e, e, ElementType.F32, true)
                .withStrides(k, WeightLayout.transposed(k), ldc);
        OneDnn.matmul(spec, a, b, c);
      }
    }
  }
}
