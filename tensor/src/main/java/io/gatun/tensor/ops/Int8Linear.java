package io.gatun.tensor.ops;

import io.gatun.ffm.OneDnn;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.Int8Products;
import io.gatun.tensor.kernel.dense.Int8Tile;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.RowMap;
import io.gatun.tensor.ops.context.RowOffsets;
import io.gatun.tensor.ops.context.Scratch;
import io.gatun.tensor.ops.rows.F32Epilogue;
import java.lang.foreign.MemorySegment;

/// A linear layer through oneDNN's int8 products: rows of activations are rounded to u8 with zero
/// point 128, products come as 32-bit integers in scratch memory, and what follows is done from
/// there, row by row.
final class Int8Linear {
  /// Rows of activations in a task, whose products fit the second cache.
  private static final int ROWS = 128;

  private final Context ctx;
  private final int k;
  private final long rows;
  private final MemorySegment u8;
  private final MemorySegment rowScales;
  private final Int8Weight weight;
  private final MemorySegment bias;

  private Int8Linear(Context ctx, Tensor x, Int8Weight weight, MemorySegment bias) {
    this.ctx = ctx;
    this.weight = weight;
    this.bias = bias != null ? bias : zeros(weight.scales().byteSize());
    var offsets = new RowOffsets(x);
    k = Math.toIntExact(offsets.columns());
    rows = offsets.count();
    u8 = ctx.workspace().take(rows * k);
    rowScales = ctx.workspace().take(4 * rows);
    round(x, offsets);
  }

  private void round(Tensor x, RowOffsets offsets) {
    boolean f32 = x.dtype() == DType.Plain.F32;
    var floats = ctx.perWorker(4L * k);
    ctx.forEach(
        rows,
        Context.grain(k),
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

  static void run(Context ctx, Tensor x, LinearWeight w, Epilogue epilogue, Tensor out) {
    var linear = new Int8Linear(ctx, x, w.int8Weight(ctx), w.floatBias());
    boolean simple =
        ctx.dtype() == DType.Plain.BF16
            && epilogue.activation() == Activation.NONE
            && epilogue.columns() == null;
    if (simple) {
      linear.forEach(linear.simply(epilogue.residual(), out));
    } else {
      linear.forEach(linear.rowByRow(new F32Epilogue(ctx, null, epilogue, out)));
    }
  }

  /// Fills `out` (..., N / 2) with values times GELU of gates, or returns false if the weight's
  /// blocks do not suit.
  static boolean geglu(Context ctx, Tensor x, LinearWeight w, Tensor out) {
    var weight = w.int8Weight(ctx);
    if (!weight.hasHalves()) {
      return false;
    }
    new Int8Linear(ctx, x, weight, w.floatBias()).geglu(out);
    return true;
  }

  private void geglu(Tensor out) {
    int half = weight.blocks().size() / 2;
    long columns = out.dim(-1);
    forEach(
        half,
        2,
        (worker, row, count, index, tiles) -> {
          var values = multiply(row, count, index, tiles, 0);
          var gates = multiply(row, count, half + index, tiles, 1);
          values.toFloats();
          gates.toFloats();
          int n = values.n();
          var memory = values.products();
          long at = values.at();
          ctx.networkKernels().geglu(memory, at, memory, gates.at(), count * n, memory, at);
          for (int i = 0; i < count; i++) {
            long to = (row + i) * columns + values.first();
            RowMap.store(ctx.backend(), memory, at + 4L * i * n, out, to, n);
          }
        });
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
    return ctx.workspace().take(bytes).fill((byte) 0);
  }

  private void forEach(End end) {
    forEach(
        weight.blocks().size(),
        1,
        (worker, row, count, index, tiles) ->
            end.accept(worker, row, multiply(row, count, index, tiles, 0)));
  }

  private interface Task {
    /// Handles some rows of activations.
    ///
    /// @param block the task's number of those of these rows
    void run(int worker, long row, int count, int block, Scratch tiles);
  }

  /// @param blocks tasks for the same rows
  /// @param tiles products of rows and a block of the weight that a task has at a time
  private void forEach(int blocks, int tiles, Task task) {
    long stride = tiles * tileBytes();
    var memory = ctx.perWorker(stride);
    ctx.forEach(
        Math.ceilDiv(rows, ROWS) * blocks,
        1,
        (worker, from, to) -> {
          var scratch = new Scratch(memory, worker * stride);
          for (long i = from; i < to; i++) {
            long row = i / blocks * ROWS;
            int count = (int) Math.min(ROWS, rows - row);
            task.run(worker, row, count, (int) (i % blocks), scratch);
          }
        });
  }

  private long tileBytes() {
    int most = weight.blocks().stream().mapToInt(Int8Weight.Block::count).max().orElseThrow();
    return 4L * most * ROWS;
  }

  /// The products of `count` rows with a block of the weight, in tile `tile` of the scratch memory.
  private Int8Tile multiply(long row, int count, int index, Scratch tiles, int tile) {
    var block = weight.blocks().get(index);
    long at = tiles.at() + tile * tileBytes();
    OneDnn.matmul(
        block.spec().withRows(count),
        u8.asSlice(row * k, (long) count * k),
        block.memory(),
        tiles.memory().asSlice(at, 4L * count * block.count()));
    return new Int8Tile(
        tiles.memory(),
        at,
        rowScales,
        4 * row,
        weight.scales(),
        weight.sums(),
        bias,
        block.from(),
        count,
        block.count());
  }
}
