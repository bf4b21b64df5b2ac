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

/// Weights that are packed for oneDNN, or that it finds where they lie, with everything that
/// follows the product fused: tasks of some rows of activations and a block of the weight.
final class PackedPlan implements LinearPlan {
  /// Rows of activations in a task: their results stay in the second cache until they are finished.
  private static final long ROWS = 512;

  /// Rows of activations in a task that has oneDNN rearrange its weights, which takes as long
  /// whatever the rows.
  private static final long ROWS_PER_REARRANGEMENT = 2048;

  /// Rows of activations that are not worth sharing out.
  private static final long MIN_ROWS = 128;

  /// Tasks for each thread, so that little is waited for at the end.
  private static final int TASKS_PER_THREAD = 2;

  private final Context ctx;
  private final Input x;
  private final Input.Rows in;
  private final PackedWeight weight;
  private final MemorySegment scales;
  private final MemorySegment bias;
  private final Tensor out;
  private final int ldc;

  // How the work is cut, and what a task does.
  private final long images;
  private final int blocks;
  private final long tileBytes;
  private final Task task;
  private final long chunks;
  private final long perChunk;

  private interface Task {
    /// Multiplies some rows with a block of the weight.
    ///
    /// @param block the task's number of those of one chunk of rows
    void run(long image, long row, int count, int block, Scratch scratch);
  }

  private PackedPlan(
      Context ctx, Input x, LinearForms w, Tensor out, Epilogue epilogue, boolean geglu) {
    this.ctx = ctx;
    this.x = x;
    this.out = out;
    in = x.even();
    ldc = Math.toIntExact(out.dim(-1));
    weight = w.packed();
    scales = w.isQuantized() ? w.int8().scales() : null;
    bias = w.bias();
    // A task's rows are of one image, where images have columns of their own.
    images = epilogue.columns() == null ? 1 : epilogue.columns().dim(0);
    blocks = weight.blocks().length / (geglu ? 2 : 1);
    tileBytes = geglu ? Math.min(x.rows(), ROWS) * ldc * weight.type().bytes() : 0;
    task = geglu ? geglu() : layer(epilogue);
    chunks = chunks(geglu);
    perChunk = Math.ceilDiv(perImage(), chunks);
  }

  /// A layer's result, `out` (..., N) without gaps.
  static PackedPlan of(Context ctx, Input x, LinearForms w, Epilogue epilogue, Tensor out) {
    return new PackedPlan(ctx, x, w, out, epilogue, false);
  }

  /// Values times GELU of gates, `out` (..., N / 2); null if the weight's blocks do not suit.
  static PackedPlan geglu(Context ctx, Input x, LinearForms w, Tensor out) {
    return w.packed().hasHalves() ? new PackedPlan(ctx, x, w, out, Epilogue.NONE, true) : null;
  }

  private Task layer(Epilogue epilogue) {
    int bytes = weight.type().bytes();
    var tail = PostOps.of(epilogue, weight.type(), out);
    return (image, row, count, index, scratch) -> {
      var block = weight.blocks()[index];
      long at = (row * ldc + block.from()) * bytes;
      var operands = new ArrayList<MemorySegment>(2);
      if (epilogue.columns() != null) {
        long column = image * ldc + block.from();
        operands.add(epilogue.columns().segment().asSlice(column * bytes));
      }
      if (epilogue.residual() != null && !epilogue.inPlace(out)) {
        operands.add(epilogue.residual().segment().asSlice(at));
      }
      multiply(row, count, block, scratch, tail, operands, out.segment().asSlice(at));
    };
  }

  /// Gates first, into scratch memory, whose rows are as far apart as the result's, and then values
  /// times these.
  private Task geglu() {
    int bytes = weight.type().bytes();
    List<PostOp> gelu = List.of(PostOp.Activation.GELU_ERF);
    List<PostOp> times =
        List.of(new PostOp.Binary(Op.MULTIPLY, weight.type(), Extent.EVERY_ELEMENT));
    return (image, row, count, index, scratch) -> {
      var values = weight.blocks()[index];
      var gates = weight.blocks()[blocks + index];
      var gate = scratch.memory().asSlice(scratch.at() + weightScratch());
      multiply(row, count, gates, scratch, gelu, List.of(), gate);
      long at = (row * ldc + values.from()) * bytes;
      multiply(row, count, values, scratch, times, List.of(gate), out.segment().asSlice(at));
    };
  }

  private long weightScratch() {
    return weight.isConverted() ? weight.scratchBytes() : 0;
  }

  @Override
  public long scratchBytes() {
    return weightScratch() + tileBytes;
  }

  private long perImage() {
    return x.rows() / images;
  }

  /// Into how many parts an image's rows are divided.
  private long chunks(boolean geglu) {
    if (geglu) {
      return Math.ceilDiv(perImage(), ROWS);
    }
    if (weight.isConverted()) {
      return 1; // converting a block is worth doing for many rows
    }
    long most = weight.isPacked() ? ROWS : ROWS_PER_REARRANGEMENT;
    long tasks = (long) TASKS_PER_THREAD * ctx.workers().threads();
    long wanted =
        Math.min(Math.ceilDiv(tasks, images * blocks), Math.ceilDiv(perImage(), MIN_ROWS));
    return Math.max(Math.ceilDiv(perImage(), most), wanted);
  }

  @Override
  public long tasks() {
    return images * chunks * blocks;
  }

  @Override
  public void run(int worker, Scratch scratch, long from, long to) {
    for (long i = from; i < to; i++) {
      long chunk = i / blocks;
      long image = chunk / chunks;
      long first = chunk % chunks * perChunk;
      int count = (int) Math.min(perChunk, perImage() - first);
      task.run(image, image * perImage() + first, count, (int) (i % blocks), scratch);
    }
  }

  private void multiply(
      long row,
      int count,
      PackedWeight.Block block,
      Scratch scratch,
      List<PostOp> tail,
      List<MemorySegment> tailOperands,
      MemorySegment target) {
    var type = weight.type();
    boolean scaled = scales != null;
    var postOps = tail;
    var operands = tailOperands;
    MemorySegment blockBias = bias == null ? null : bias.asSlice(4L * block.from());
    if (scaled) {
      // Scales come before the bias, which therefore is a post-op too.
      postOps = new ArrayList<>();
      operands = new ArrayList<>();
      postOps.add(new PostOp.Binary(Op.MULTIPLY, ElementType.F32, Extent.PER_COLUMN));
      operands.add(scales.asSlice(4L * block.from()));
      if (bias != null) {
        postOps.add(new PostOp.Binary(Op.ADD, ElementType.F32, Extent.PER_COLUMN));
        operands.add(blockBias);
        blockBias = null;
      }
      postOps.addAll(tail);
      operands.addAll(tailOperands);
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
            blockBias == null ? null : ElementType.F32,
            postOps);
    OneDnn.matmul(
        spec,
        in.memory().asSlice(row * in.distance() * type.bytes()),
        weight.memory(block, scratch),
        target,
        new Operands(blockBias, operands));
  }
}
