package io.gatun.tensor.ops.linear;

import io.gatun.ffm.OneDnn;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.Int8Tile;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.RowMap;
import io.gatun.tensor.ops.context.Scratch;
import io.gatun.tensor.ops.rows.F32Epilogue;
import java.lang.foreign.MemorySegment;

/// Weights of 8 bits that are packed for oneDNN's int8 products: rows of activations are rounded to
/// u8 with zero point 128, products come as 32-bit integers in scratch memory, and what follows is
/// done from there, row by row.
final class Int8Plan implements LinearPlan {
  /// Rows of activations in a task, whose products fit the second cache.
  private static final int ROWS = 128;

  private final Context ctx;
  private final Input x;
  private final Input.U8 u8;
  private final Int8Weight weight;
  private final MemorySegment bias;
  private final int blocks;
  private final int tiles;
  private final Task task;

  private interface Task {
    /// Handles some rows of activations.
    ///
    /// @param block the task's number of those of these rows
    void run(int worker, long row, int count, int block, Scratch tiles);
  }

  private Int8Plan(
      Context ctx, Input x, LinearForms w, Epilogue epilogue, Tensor out, boolean geglu) {
    this.ctx = ctx;
    this.x = x;
    u8 = x.u8();
    weight = w.int8();
    bias = w.bias() != null ? w.bias() : zeros(weight.scales().byteSize());
    tiles = geglu ? 2 : 1;
    blocks = weight.blocks().size() / tiles;
    boolean simple =
        ctx.dtype() == DType.Plain.BF16
            && epilogue.activation() == Activation.NONE
            && epilogue.columns() == null;
    if (geglu) {
      task = geglu(out);
    } else if (simple) {
      task = simply(epilogue.residual(), out);
    } else {
      task = rowByRow(new F32Epilogue(ctx, null, null, epilogue, out));
    }
  }

  /// A layer's result, `out` (..., N).
  static Int8Plan of(Context ctx, Input x, LinearForms w, Epilogue epilogue, Tensor out) {
    return new Int8Plan(ctx, x, w, epilogue, out, false);
  }

  /// Values times GELU of gates, `out` (..., N / 2); null if the weight's blocks do not suit.
  static Int8Plan geglu(Context ctx, Input x, LinearForms w, Tensor out) {
    return w.int8().hasHalves() ? new Int8Plan(ctx, x, w, Epilogue.NONE, out, true) : null;
  }

  private Task geglu(Tensor out) {
    long columns = out.dim(-1);
    return (worker, row, count, index, scratch) -> {
      var values = multiply(row, count, index, scratch, 0);
      var gates = multiply(row, count, blocks + index, scratch, 1);
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
    };
  }

  private Task simply(Tensor residual, Tensor out) {
    long n = out.dim(-1);
    // Where there is nothing to add, each row adds the same zeros.
    var added = residual == null ? zeros(2 * n) : residual.segment();
    long stride = residual == null ? 0 : 2 * n;
    return (worker, row, count, index, scratch) -> {
      var tile = multiply(row, count, index, scratch, 0);
      long column = 2L * tile.first();
      tile.toBf16(added, row * stride + column, stride, out.segment(), 2 * row * n + column, 2 * n);
    };
  }

  private Task rowByRow(F32Epilogue epilogue) {
    return (worker, row, count, index, scratch) -> {
      var tile = multiply(row, count, index, scratch, 0);
      tile.toFloats();
      epilogue.store(
          worker, tile.products(), tile.at(), tile.n(), row, count, tile.first(), tile.n());
    };
  }

  private MemorySegment zeros(long bytes) {
    return ctx.workspace().take(bytes).fill((byte) 0);
  }

  @Override
  public long tasks() {
    return Math.ceilDiv(x.rows(), (long) ROWS) * blocks;
  }

  private long tileBytes() {
    int most = weight.blocks().stream().mapToInt(Int8Weight.Block::count).max().orElseThrow();
    return 4L * most * ROWS;
  }

  @Override
  public long scratchBytes() {
    return tiles * tileBytes();
  }

  @Override
  public void run(int worker, Scratch scratch, long from, long to) {
    for (long i = from; i < to; i++) {
      long row = i / blocks * ROWS;
      int count = (int) Math.min(ROWS, x.rows() - row);
      task.run(worker, row, count, (int) (i % blocks), scratch);
    }
  }

  /// The products of `count` rows with a block of the weight, in tile `tile` of the scratch memory.
  private Int8Tile multiply(long row, int count, int index, Scratch scratch, int tile) {
    var block = weight.blocks().get(index);
    long at = scratch.at() + tile * tileBytes();
    int k = x.columns();
    int computed = Panels.padded(count);
    OneDnn.matmul(
        block.spec().withRows(computed),
        u8.values().asSlice(Panels.u8Row(row) * k, (long) computed * k),
        block.memory(),
        scratch.memory().asSlice(at, 4L * computed * block.count()));
    return new Int8Tile(
        scratch.memory(),
        at,
        u8.scales(),
        4 * row,
        weight.scales(),
        weight.sums(),
        bias,
        block.from(),
        count,
        block.count());
  }
}
