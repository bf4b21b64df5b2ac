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
/// products: as BF16, with activations rounded to BF16 and F32 sums, through oneDNN, or as F32
/// through OpenBLAS.
final class UnpackedPlan implements RowPlan {
  private final Tensor w;
  private final Tensor out;
  private final boolean bf16;
  private final DType.Plain type;
  private final MemorySegment input;
  private final int rows;
  private final int k;

  UnpackedPlan(Input x, Tensor w, Tensor out, boolean bf16) {
    this.w = w;
    this.out = out;
    this.bf16 = bf16;
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
  public long scratchBytes() {
    // BF16, and behind them F32 on their way to it.
    return w.dtype() == type ? 0 : (bf16 ? 6L : 4L) * BLOCK * k;
  }

  @Override
  public void multiply(int worker, Scratch scratch, long from, long to) {
    // Always as many rows at a time: OpenBLAS may sum up in another order for another number, and a
    // worker gets more or fewer depending on how many there are.
    for (long row = from; row < to; row += BLOCK) {
      int count = (int) Math.min(BLOCK, to - row);
      var target = out.segment().asSlice(4 * row);
      if (bf16) {
        matmul(rows(scratch, row, count), count, target);
      } else {
        sgemm(rows(scratch, row, count), count, target);
      }
    }
  }

  private MemorySegment rows(Scratch scratch, long row, int count) {
    if (w.dtype() == type) {
      long bytes = type.blockBytes();
      return w.segment().asSlice(row * k * bytes, count * k * bytes);
    }
    var memory = scratch.memory();
    if (bf16) {
      var unpacked = memory.asSlice(scratch.at(), 2L * BLOCK * k);
      WeightRows.toBf16(w, row, count, unpacked, memory, scratch.at() + 2L * BLOCK * k);
      return unpacked;
    }
    WeightRows.toFloat(Backend.NATIVE, w, row, count, memory, scratch.at());
    return memory.asSlice(scratch.at());
  }

  private void matmul(MemorySegment b, int n, MemorySegment target) {
    int ldc = (int) out.dim(1);
    for (int row = 0, count; row < rows; row += count) {
      count = PackedPlan.rowsAtOnce(rows - row);
      var spec =
          MatmulSpec.of(count, n, k, ElementType.BF16, ElementType.BF16, ElementType.F32, true)
              .withStrides(k, WeightLayout.transposed(k), ldc);
      OneDnn.matmul(spec, input.asSlice(2L * row * k), b, target.asSlice(4L * row * ldc));
    }
  }

  private void sgemm(MemorySegment b, int count, MemorySegment target) {
    OpenBlas.sgemm(false, true, rows, count, k, 1, input, k, b, k, 0, target, (int) out.dim(1));
  }
}
