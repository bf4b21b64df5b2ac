package io.gatun.tensor.ops.linear;

import io.gatun.ffm.OneDnn;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.Int8Products;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.RowMap;
import io.gatun.tensor.ops.context.Scratch;
import io.gatun.tensor.ops.rows.F32Epilogue;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/// Products of integers: rows of activations are rounded to u8 with zero point 128, products come
/// as 32-bit integers in scratch memory, and what follows is done from there, row by row.
final class Int8Product {
  /// Rows of activations in a task, whose products fit the second cache.
  private static final int ROWS = 128;

  private final Context ctx;
  private final Input x;
  private final Int8Weight weight;
  private final PackedWeight.Block[] blocks;
  private final MemorySegment bias;
  private final long tileBytes;

  private Int8Product(Context ctx, Input x, LinearForms w) {
    this.ctx = ctx;
    this.x = x;
    weight = w.int8();
    blocks = weight.packed().blocks();
    bias = w.bias() != null ? w.bias() : zeros(weight.scales().byteSize());
    tileBytes =
        4L * ROWS * Arrays.stream(blocks).mapToInt(PackedWeight.Block::count).max().orElseThrow();
    x.u8();
  }

  private MemorySegment zeros(long bytes) {
    return ctx.workspace().take(bytes).fill((byte) 0);
  }

  /// A layer's result, `out` (..., N).
  static LinearPlan layer(Context ctx, Input x, LinearForms w, Epilogue epilogue, Tensor out) {
    var product = new Int8Product(ctx, x, w);
    boolean simple =
        ctx.dtype() == DType.Plain.BF16
            && epilogue.activation() == Activation.NONE
            && epilogue.columns() == null;
    var task =
        simple
            ? product.simply(epilogue.residual(), out)
            : product.rowByRow(new F32Epilogue(ctx, null, null, epilogue, out));
    return new PackedPlan(1, x.rows(), ROWS, product.blocks.length, product.tileBytes, task);
  }

  /// Values times GELU of gates, `out` (..., N / 2); null if the weight's blocks do not suit.
  static LinearPlan geglu(Context ctx, Input x, LinearForms w, Tensor out) {
    if (!w.int8().packed().hasHalves()) {
      return null;
    }
    var product = new Int8Product(ctx, x, w);
    int half = product.blocks.length / 2;
    return new PackedPlan(1, x.rows(), ROWS, half, 2 * product.tileBytes, product.geglu(half, out));
  }

  private PackedPlan.Task geglu(int half, Tensor out) {
    long columns = out.dim(-1);
    return (worker, scratch, image, row, count, index) -> {
      multiply(row, count, index, scratch, 0).toFloats();
      multiply(row, count, half + index, scratch, tileBytes).toFloats();
      int n = blocks[index].count();
      var memory = scratch.memory();
      long at = scratch.at();
      ctx.networkKernels().geglu(memory, at, memory, at + tileBytes, count * n, memory, at);
      for (int i = 0; i < count; i++) {
        long to = (row + i) * columns + blocks[index].from();
        RowMap.store(ctx.backend(), memory, at + 4L * i * n, out, to, n);
      }
    };
  }

  private PackedPlan.Task simply(Tensor residual, Tensor out) {
    long n = out.dim(-1);
    // Where there is nothing to add, each row adds the same zeros.
    var added = residual == null ? zeros(2 * n) : residual.segment();
    long stride = residual == null ? 0 : 2 * n;
    return (worker, scratch, image, row, count, index) -> {
      long column = 2L * blocks[index].from();
      multiply(row, count, index, scratch, 0)
          .toBf16(added, row * stride + column, stride, out.segment(), 2 * row * n + column, 2 * n);
    };
  }

  private PackedPlan.Task rowByRow(F32Epilogue epilogue) {
    return (worker, scratch, image, row, count, index) -> {
      multiply(row, count, index, scratch, 0).toFloats();
      int n = blocks[index].count();
      int from = blocks[index].from();
      epilogue.store(worker, scratch.memory(), scratch.at(), n, row, count, from, n);
    };
  }

  /// The products of `count` rows with a block of the weight, from byte `tile` of the scratch
  /// memory on.
  private Int8Products multiply(long row, int count, int index, Scratch scratch, long tile) {
    var block = blocks[index];
    int computed = Panels.padded(count);
    var products = scratch.memory().asSlice(scratch.at() + tile, 4L * computed * block.count());
    OneDnn.matmul(
        weight.packed().spec(block).withRows(computed).withLayout(block.layout()),
        x.u8().values().asSlice(Panels.u8Row(row) * x.columns()),
        block.memory(),
        products);
    long from = 4L * block.from();
    return new Int8Products(
        products,
        block.count(),
        x.u8().scales().asSlice(4 * row),
        weight.scales().asSlice(from),
        weight.sums().asSlice(from),
        bias.asSlice(from),
        count);
  }
}
