package io.gatun.tensor.ops;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.WeightLayout;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Scratch;
import io.gatun.tensor.ops.context.WeightRows;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// Weights of any type, a block of rows at a time, as BF16, with activations rounded to BF16 and
/// F32 sums, through oneDNN.
final class Bf16Product implements RowProduct {
  private final Activations x;
  private final Tensor w;
  private final Tensor out;
  private final MemorySegment bf16;

  Bf16Product(Activations x, Tensor w, Tensor out) {
    this.w = w;
    this.out = out;
    this.x = x;
    this.bf16 = x.bf16();
  }

  @Override
  public long scratchBytes() {
    return 6L * BLOCK * x.columns();
  }

  @Override
  public void multiply(Scratch scratch, long from, long to) {
    int k = x.columns();
    for (long row = from; row < to; row += BLOCK) {
      int count = (int) Math.min(BLOCK, to - row);
      MemorySegment b;
      if (w.dtype() == DType.Plain.BF16) {
        b = w.segment().asSlice(2 * row * k, 2L * count * k);
      } else {
        b = scratch.memory().asSlice(scratch.at(), 2L * BLOCK * k);
        WeightRows.toBf16(w, row, count, b, scratch.memory(), scratch.at() + 2L * BLOCK * k);
      }
      var spec =
          new MatmulSpec(
              x.rows(),
              count,
              k,
              ElementType.BF16,
              ElementType.BF16,
              ElementType.F32,
              k,
              WeightLayout.transposed(k),
              (int) out.dim(1),
              null,
              false,
              List.of());
      OneDnn.matmul(spec, bf16, b, out.segment().asSlice(4 * row));
    }
  }
}
