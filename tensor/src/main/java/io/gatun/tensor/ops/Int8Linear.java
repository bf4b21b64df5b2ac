package io.gatun.tensor.ops;

import io.gatun.ffm.OneDnn;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.Floats;
import io.gatun.tensor.kernel.Int8Panels;
import io.gatun.tensor.kernel.Unpack;
import java.lang.foreign.MemorySegment;

/// A linear layer through oneDNN's int8 products: rows of activations are rounded to u8 with zero
/// point 128, products come as 32-bit integers in scratch memory, and what follows is done from
/// there, row by row.
final class Int8Linear {
  /// Rows of activations in a task, whose products fit the second cache.
  private static final int ROWS = Integer.getInteger("im", 256);

  private final Functional f;
  private final int k;
  private final long rows;
  private final MemorySegment u8;
  private final MemorySegment rowScales;
  private final Int8Weight weight;

  private Int8Linear(Functional f, Tensor x, Int8Weight weight) {
    this.f = f;
    this.weight = weight;
    var offsets = new RowOffsets(x);
    k = Math.toIntExact(offsets.columns());
    rows = offsets.count();
    u8 = f.ops().workspace().take(rows * k);
    rowScales = f.ops().workspace().take(4 * rows);
    round(x, offsets);
  }

  private void round(Tensor x, RowOffsets offsets) {
    boolean f32 = x.dtype() == DType.Plain.F32;
    var floats = f.ops().workspace().take(4L * k * f.ops().workers().threads());
    f.ops()
        .workers()
        .forEach(
            rows,
            Ops.grain(k),
            (worker, from, to) -> {
              for (long row = from; row < to; row++) {
                long at = offsets.element(row);
                var source = x.segment();
                long sourceAt = 4 * at;
                if (!f32) {
                  source = floats;
                  sourceAt = 4L * k * worker;
                  Unpack.toFloat(x.dtype(), x.segment(), 2 * at, floats, sourceAt, k);
                }
                float scale = Int8Panels.quantize(source, sourceAt, k, 128, u8, row * k);
                Floats.set(rowScales, 0, row, scale);
              }
            });
  }

  static void run(Functional f, Tensor x, LinearWeight w, Epilogue epilogue, Tensor out) {
    new Int8Linear(f, x, w.int8Weight(f)).run(new EpilogueRows(f, w.floatBias(), epilogue, out));
  }

  private void run(EpilogueRows epilogue) {
    int blocks = weight.blocks().length;
    int most = weight.blocks()[0].count();
    long stride = 4L * most * (ROWS + 1);
    var scratch = f.ops().workspace().take(stride * f.ops().workers().threads());
    f.ops()
        .workers()
        .forEach(
            Math.ceilDiv(rows, ROWS) * blocks,
            1,
            (worker, from, to) -> {
              long products = worker * stride;
              long floats = products + 4L * most * ROWS;
              for (long task = from; task < to; task++) {
                var block = weight.blocks()[(int) (task % blocks)];
                long first = task / blocks * ROWS;
                int count = (int) Math.min(ROWS, rows - first);
                multiply(block, first, count, scratch, products);
                for (int i = 0; i < count; i++) {
                  long at = products + 4L * i * block.count();
                  scale(block, first + i, scratch, at, floats);
                  epilogue.finish(worker, scratch, floats, first + i, block.from(), block.count());
                }
              }
            });
  }

  private void multiply(
      Int8Weight.Block block, long first, int count, MemorySegment products, long at) {
    OneDnn.matmul(
        block.spec().withRows(count),
        u8.asSlice(first * k, (long) count * k),
        block.memory(),
        products.asSlice(at, 4L * count * block.count()));
  }

  /// A row of products as floats.
  private void scale(
      Int8Weight.Block block, long row, MemorySegment scratch, long products, long floats) {
    Int8Panels.scale(
        scratch,
        products,
        Floats.get(rowScales, 0, row),
        weight.scales(),
        4L * block.from(),
        weight.sums(),
        4L * block.from(),
        block.count(),
        scratch,
        floats);
  }
}
