package io.gatun.tensor.ops;

import io.gatun.ffm.OpenBlas;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Scratch;
import io.gatun.tensor.ops.context.WeightRows;
import java.lang.foreign.MemorySegment;

/// Weights of any type, a block of rows at a time, unpacked to F32 where they are not, through
/// OpenBLAS.
final class SgemmProduct implements RowProduct {
  private final Activations x;
  private final Tensor w;
  private final Tensor out;
  private final MemorySegment f32;

  SgemmProduct(Activations x, Tensor w, Tensor out) {
    this.w = w;
    this.out = out;
    this.x = x;
    f32 = x.f32();
  }

  @Override
  public long scratchBytes() {
    return w.dtype() == DType.Plain.F32 ? 0 : 4L * BLOCK * x.columns();
  }

  @Override
  public void multiply(Scratch scratch, long from, long to) {
    // Always as many rows at a time: OpenBLAS may sum up in another order for another number, and a
    // worker gets more or fewer depending on how many there are.
    for (long row = from; row < to; row += BLOCK) {
      int count = (int) Math.min(BLOCK, to - row);
      if (w.dtype() == DType.Plain.F32) {
        sgemm(w.segment(), 4 * row * x.columns(), row, count);
      } else {
        WeightRows.toFloat(Backend.NATIVE, w, row, count, scratch.memory(), scratch.at());
        sgemm(scratch.memory(), scratch.at(), row, count);
      }
    }
  }

  private void sgemm(MemorySegment b, long at, long column, int count) {
    int k = x.columns();
    OpenBlas.sgemm(
        false,
        true,
        x.rows(),
        count,
        k,
        1,
        f32,
        k,
        b.asSlice(at),
        k,
        0,
        out.segment().asSlice(4 * column),
        (int) out.dim(1));
  }
}
