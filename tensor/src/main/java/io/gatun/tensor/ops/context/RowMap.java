package io.gatun.tensor.ops.context;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Dequantize;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.Backend;
import java.lang.foreign.MemorySegment;

/// Runs kernels, which know F32 alone, over rows of activations of either type. A row of BF16 goes
/// through a worker's scratch memory, which the first cache holds.
public final class RowMap {
  /// Elements that make a row of operations to which rows mean nothing.
  public static final int CHUNK = 2048;

  private final Context ctx;
  private final Tensor in;
  private final Tensor out;
  private final int inColumns;
  private final int outColumns;
  private final MemorySegment scratch;
  private final long scratchStride;

  /// What happens to one row.
  @FunctionalInterface
  public interface Kernel {
    /// Handles one row.
    ///
    /// @param from the first element's index in the input
    /// @param n the row's elements: the last row may be shorter
    void run(
        int worker, long from, int n, MemorySegment x, long xAt, MemorySegment out, long outAt);
  }

  private RowMap(Context ctx, Tensor in, Tensor out, int inColumns, int outColumns) {
    this.ctx = ctx;
    this.in = in;
    this.out = out;
    this.inColumns = inColumns;
    this.outColumns = outColumns;
    scratchStride = 4L * Math.max(inColumns, outColumns) + 63 & -64;
    scratch = ctx.workspace().take(isF32() ? 0 : ctx.workers().threads() * scratchStride);
  }

  private boolean isF32() {
    return in.dtype() == DType.Plain.F32;
  }

  /// Rows of `inColumns` elements of `in` become rows of `outColumns` elements of `out`, of the
  /// same type; both are contiguous.
  public static void run(
      Context ctx, Tensor in, int inColumns, Tensor out, int outColumns, Kernel kernel) {
    var map = new RowMap(ctx, in, out, inColumns, outColumns);
    ctx.each(
        Math.ceilDiv(in.size(), inColumns),
        Context.grain(inColumns),
        (worker, row) -> map.row(worker, row, kernel));
  }

  /// Chunks of `x`, in no particular shape, become chunks of a result of its shape.
  public static Tensor elements(Context ctx, Tensor x, Kernel kernel) {
    Check.activations("x", x, ctx.dtype());
    var out = ctx.empty(x.shape().dims());
    try (var _ = ctx.scope()) {
      run(ctx, x, CHUNK, out, CHUNK, kernel);
    }
    return out;
  }

  private void row(int worker, long row, Kernel kernel) {
    long from = row * inColumns;
    int n = (int) Math.min(inColumns, in.size() - from);
    long to = row * outColumns;
    if (isF32()) {
      kernel.run(worker, from, n, in.segment(), 4 * from, out.segment(), 4 * to);
      return;
    }
    long at = worker * scratchStride;
    load(ctx.backend(), in, from, n, scratch, at);
    kernel.run(worker, from, n, scratch, at, scratch, at);
    store(ctx.backend(), scratch, at, out, to, Math.min(outColumns, out.size() - to));
  }

  /// Writes `n` elements of a plain tensor without gaps, from element `from` on, as F32.
  public static void load(
      Backend backend, Tensor x, long from, long n, MemorySegment dst, long at) {
    long byteOffset = from * x.dtype().blockBytes();
    switch (backend) {
      case SCALAR -> Dequantize.toFloat(x.dtype(), x.segment(), byteOffset, dst, at, n);
      case VECTOR, NATIVE -> Unpack.toFloat(x.dtype(), x.segment(), byteOffset, dst, at, n);
    }
  }

  /// Writes `n` F32 to a tensor of activations from element `to` on.
  public static void store(
      Backend backend, MemorySegment src, long at, Tensor out, long to, long n) {
    var type = (DType.Plain) out.dtype();
    if (type == DType.Plain.F32) {
      MemorySegment.copy(src, at, out.segment(), 4 * to, 4 * n);
    } else if (backend == Backend.SCALAR) {
      for (long i = 0; i < n; i++) {
        Floats.store(type, out.segment(), 0, to + i, Floats.get(src, at, i));
      }
    } else {
      Unpack.floatToBf16(src, at, out.segment(), 2 * to, n);
    }
  }
}
