package io.gatun.tensor.ops;

import io.gatun.ffm.OneDnn;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.Floats;
import io.gatun.tensor.kernel.Int8Products;
import io.gatun.tensor.kernel.Int8Tile;
import io.gatun.tensor.kernel.Unpack;
import java.lang.foreign.MemorySegment;

/// A linear layer through oneDNN's int8 products: rows of activations are rounded to u8 with zero
/// point 128, products come as 32-bit integers in scratch memory, and what follows is done from
/// there, row by row.
final class Int8Linear {
  /// Rows of activations in a task, whose products fit the second cache.
  private static final int ROWS = 128;

  private final Functional f;
  private final int k;
  private final long rows;
  private final MemorySegment u8;
  private final MemorySegment rowScales;
  private final Int8Weight weight;
  private final MemorySegment bias;

  private Int8Linear(Functional f, Tensor x, Int8Weight weight, MemorySegment bias) {
    this.f = f;
    this.weight = weight;
    this.bias = bias != null ? bias : zeros(weight.scales().byteSize());
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
                float scale = Int8Products.quantize(source, sourceAt, k, 128, u8, row * k);
                Floats.set(rowScales, 0, row, scale);
              }
            });
  }

  static void run(Functional f, Tensor x, LinearWeight w, Epilogue epilogue, Tensor out) {
    var linear = new Int8Linear(f, x, w.int8Weight(f), w.floatBias());
    boolean simple =
        f.dtype() == DType.Plain.BF16
            && epilogue.activation() == Activation.NONE
            && epilogue.columns() == null;
    if (simple) {
      linear.forEach(linear.simply(epilogue.residual(), out));
    } else {
      linear.forEach(linear.rowByRow(new F32Epilogue(f, null, epilogue, out)));
    }
  }

  /// What happens to the products of some rows and a block of the weight.
  private interface End {
    void accept(int worker, long row, Int8Tile tile);
  }

  private End simply(Tensor residual, Tensor out) {
    long n = out.dim(-1);
    // Where there is nothing to add, each row adds the same zeros.
    var added = residual == null ? zeros(2 * n) : residual.segment();
    long stride = residual == null ? 0 : 2 * n;
    return (worker, row, tile) ->
        tile.toBf16(
            added,
            row * stride + 2L * tile.first(),
            stride,
            out.segment(),
            2 * (row * n + tile.first()),
            2 * n);
  }

  private End rowByRow(F32Epilogue epilogue) {
    return (worker, row, tile) -> {
      tile.toFloats();
      epilogue.store(
          worker, tile.products(), tile.at(), tile.n(), row, tile.rows(), tile.first(), tile.n());
    };
  }

  private MemorySegment zeros(long bytes) {
    return f.ops().workspace().take(bytes).fill((byte) 0);
  }

  private void forEach(End end) {
    int blocks = weight.blocks().size();
    int most = weight.blocks().stream().mapToInt(Int8Weight.Block::count).max().orElseThrow();
    long stride = 4L * most * ROWS;
    var products = f.ops().workspace().take(stride * f.ops().workers().threads());
    f.ops()
        .workers()
        .forEach(
            Math.ceilDiv(rows, ROWS) * blocks,
            1,
            (worker, from, to) -> {
              for (long task = from; task < to; task++) {
                var block = weight.blocks().get((int) (task % blocks));
                long row = task / blocks * ROWS;
                int count = (int) Math.min(ROWS, rows - row);
                long at = worker * stride;
                OneDnn.matmul(
                    block.spec().withRows(count),
                    u8.asSlice(row * k, (long) count * k),
                    block.memory(),
                    products.asSlice(at, 4L * count * block.count()));
                end.accept(
                    worker,
                    row,
                    new Int8Tile(
                        products,
                        at,
                        rowScales,
                        4 * row,
                        weight.scales(),
                        weight.sums(),
                        bias,
                        block.from(),
                        count,
                        block.count()));
              }
            });
  }
}
