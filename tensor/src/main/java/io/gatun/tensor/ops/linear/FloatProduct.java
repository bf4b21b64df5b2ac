package io.gatun.tensor.ops.linear;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.Operands;
import io.gatun.ffm.PostOp;
import io.gatun.ffm.PostOp.Binary.Extent;
import io.gatun.ffm.PostOp.Binary.Op;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Scratch;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// Products in the activations' type, with everything that follows fused.
final class FloatProduct {
  /// Rows of activations in a task: their results stay in the second cache until they are finished.
  private static final long ROWS = 512;

  /// Rows of activations in a task that has oneDNN rearrange its weights, which takes as long
  /// whatever the rows.
  private static final long ROWS_PER_REARRANGEMENT = 2048;

  /// Rows of activations that are not worth sharing out.
  private static final long MIN_ROWS = 128;

  /// Tasks for each thread, so that little is waited for at the end.
  private static final int TASKS_PER_THREAD = 2;

  private final Input x;
  private final Input.Rows in;
  private final PackedWeight weight;
  private final ElementType type;
  private final MemorySegment bias;
  private final Tensor out;
  private final int ldc;

  // What comes before the rest where weights are integers: their scales.
  private final List<PostOp> scaling = new ArrayList<>();
  private final MemorySegment scales;

  private FloatProduct(Input x, LinearForms w, Tensor out) {
    this.x = x;
    this.out = out;
    in = x.even();
    ldc = Math.toIntExact(out.dim(-1));
    weight = w.packed(x.rows());
    type = weight.type();
    bias = w.bias();
    scales = w.isQuantized() ? w.int8().scales() : null;
    if (scales != null) {
      // Scales come before the bias, which therefore is a post-op too.
      scaling.add(new PostOp.Binary(Op.MULTIPLY, ElementType.F32, Extent.PER_COLUMN));
      if (bias != null) {
        scaling.add(new PostOp.Binary(Op.ADD, ElementType.F32, Extent.PER_COLUMN));
      }
    }
  }

  /// A layer's result, `out` (..., N) without gaps.
  static LinearPlan layer(Context ctx, Input x, LinearForms w, Epilogue epilogue, Tensor out) {
    var product = new FloatProduct(x, w, out);
    // A task's rows are of one image, where images have columns of their own.
    long images = epilogue.columns() == null ? 1 : epilogue.columns().dim(0);
    long rows = x.rows() / images;
    int blocks = product.weight.blocks().length;
    long chunks = product.chunks(ctx, images, rows);
    long scratch = product.weightScratch();
    return new PackedPlan(
        images, rows, Math.ceilDiv(rows, chunks), blocks, scratch, product.layer(epilogue));
  }

  /// Values times GELU of gates, `out` (..., N / 2); null if the weight's blocks do not suit.
  static LinearPlan geglu(Input x, LinearForms w, Tensor out) {
    if (!w.packed(x.rows()).hasHalves()) {
      return null;
    }
    var product = new FloatProduct(x, w, out);
    int blocks = product.weight.blocks().length / 2;
    long rows = Math.min(x.rows(), ROWS);
    long scratch = product.weightScratch() + rows * product.ldc * product.type.bytes();
    return new PackedPlan(1, x.rows(), rows, blocks, scratch, product.geglu(blocks));
  }

  /// Into how many parts an image's rows are divided.
  private long chunks(Context ctx, long images, long rows) {
    if (weight.isConverted()) {
      return 1; // converting a block is worth doing for many rows
    }
    long most = weight.isPacked() ? ROWS : ROWS_PER_REARRANGEMENT;
    long tasks = (long) TASKS_PER_THREAD * ctx.workers().threads();
    long wanted =
        Math.min(
            Math.ceilDiv(tasks, images * weight.blocks().length), Math.ceilDiv(rows, MIN_ROWS));
    return Math.max(Math.ceilDiv(rows, most), wanted);
  }

  private long weightScratch() {
    return weight.isConverted() ? weight.scratchBytes() : 0;
  }

  private PackedPlan.Task layer(Epilogue epilogue) {
    var tail = PostOps.of(epilogue, type, out);
    return (worker, scratch, image, row, count, index) -> {
      var block = weight.blocks()[index];
      long at = (row * ldc + block.from()) * type.bytes();
      var columns = epilogue.columns();
      long column = (image * ldc + block.from()) * type.bytes();
      var residual = epilogue.inPlace(out) ? null : epilogue.residual();
      multiply(
          row,
          count,
          block,
          scratch,
          tail,
          columns == null ? null : columns.segment().asSlice(column),
          residual == null ? null : residual.segment().asSlice(at),
          out.segment().asSlice(at));
    };
  }

  /// Gates first, into scratch memory, whose rows are as far apart as the result's, and then values
  /// times these.
  private PackedPlan.Task geglu(int blocks) {
    List<PostOp> gelu = List.of(PostOp.Activation.GELU_ERF);
    List<PostOp> times = List.of(new PostOp.Binary(Op.MULTIPLY, type, Extent.EVERY_ELEMENT));
    return (worker, scratch, image, row, count, index) -> {
      var values = weight.blocks()[index];
      var gates = weight.blocks()[blocks + index];
      var gate = scratch.memory().asSlice(scratch.at() + weightScratch());
      var target = out.segment().asSlice((row * ldc + values.from()) * type.bytes());
      multiply(row, count, gates, scratch, gelu, null, null, gate);
      multiply(row, count, values, scratch, times, null, gate, target);
    };
  }

  /// @param perColumn an operand of `tail`; null for none
  /// @param perElement the next one, whose rows are as far apart as the result's; null for none
  private void multiply(
      long first,
      int rows,
      PackedWeight.Block block,
      Scratch scratch,
      List<PostOp> tail,
      MemorySegment perColumn,
      MemorySegment perElement,
      MemorySegment target) {
    var memory = weight.memory(block, scratch);
    var postOps = new ArrayList<>(scaling);
    postOps.addAll(tail);
    boolean biased = bias != null && scales == null;
    for (int row = 0, count; row < rows; row += count) {
      count = PackedPlan.rowsAtOnce(rows - row);
      long at = (long) row * ldc * type.bytes();
      var operands = new ArrayList<MemorySegment>(4);
      if (scales != null) {
        operands.add(scales.asSlice(4L * block.from()));
      }
      if (scales != null && bias != null) {
        operands.add(bias.asSlice(4L * block.from()));
      }
      if (perColumn != null) {
        operands.add(perColumn);
      }
      if (perElement != null) {
        operands.add(perElement.asSlice(at));
      }
      var spec =
          new MatmulSpec(
              count,
              block.count(),
              x.columns(),
              type,
              type,
              type,
              in.distance(),
              block.layout(),
              ldc,
              biased ? ElementType.F32 : null,
              postOps);
      OneDnn.matmul(
          spec,
          in.memory().asSlice((first + row) * in.distance() * type.bytes()),
          memory,
          target.asSlice(at),
          new Operands(biased ? bias.asSlice(4L * block.from()) : null, operands));
    }
  }
}
