package io.gatun.tensor.ops;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.QuantizedRows;
import io.gatun.tensor.kernel.TiledInt4;
import java.lang.foreign.MemorySegment;

/// Group-wise int4 weights times a few activation rows, which are rounded to 8 bits by groups of 32.
final class TiledProduct implements RowProduct {
  private static final int ROWS = DType.Tiled.ROWS;

  private final Activations x;
  private final DType.Tiled type;
  private final MemorySegment quantized;

  TiledProduct(Activations x, DType.Tiled type) {
    this.x = x;
    this.type = type;
    quantized = x.quantized(type.bits());
  }

  @Override
  public int unit() {
    return ROWS;
  }

  @Override
  public long scratchBytes() {
    return TiledInt4.SCRATCH_BYTES + 4L * ROWS * x.rows();
  }

  @Override
  public void multiply(Scratch scratch, Tensor w, Tensor out, long from, long to) {
    MemorySegment memory = scratch.memory().asSlice(scratch.at(), scratchBytes());
    long n = out.dim(1);
    int whole = (int) (to / ROWS);
    tiles(w, (int) (from / ROWS), whole, out.segment(), 0, 4 * n, memory);
    if (to % ROWS != 0) {
      // The last tile's rows beyond N must not reach the next row of the result.
      long last = (long) whole * ROWS;
      long part = TiledInt4.SCRATCH_BYTES;
      tiles(w, whole, whole + 1, memory, part - 4 * last, 4 * ROWS, memory);
      for (int t = 0; t < x.rows(); t++) {
        MemorySegment.copy(
            memory, part + 4L * ROWS * t, out.segment(), 4 * (t * n + last), 4 * (to - last));
      }
    }
  }

  private void tiles(
      Tensor w, int from, int to, MemorySegment y, long yAt, long yStride, MemorySegment scratch) {
    if (from < to) {
      TiledInt4.multiply(
          type,
          w.segment(),
          0,
          quantized,
          0,
          x.rows(),
          x.columns(),
          from,
          to,
          y,
          yAt,
          yStride,
          scratch);
    }
  }
}
