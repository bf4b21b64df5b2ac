package io.gatun.tensor.ops;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.Operands;
import io.gatun.ffm.PostOp;
import io.gatun.ffm.PostOp.Binary.Extent;
import io.gatun.ffm.PostOp.Binary.Op;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.RowOffsets;
import io.gatun.tensor.ops.context.Scratch;
import io.gatun.tensor.ops.rows.Elementwise;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// A linear layer through oneDNN, with everything that follows fused: tasks of some rows of
/// activations and a block of the weight.
public final class NativeLinear {
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
  private final Tensor x;
  private final int lda;
  private final long rows;
  private final NativeWeight weight;
  private final MemorySegment scales;
  private final MemorySegment bias;
  private final Tensor out;
  private final int ldc;

  private NativeLinear(Context ctx, Tensor x, LinearWeight w, Tensor out) {
    this.ctx = ctx;
    this.out = out;
    var offsets = new RowOffsets(x);
    rows = offsets.count();
    if (offsets.distance() < offsets.columns()) {
      this.x = Elementwise.cast(ctx, x, ctx.dtype());
      lda = Math.toIntExact(offsets.columns());
    } else {
      this.x = x;
      lda = Math.toIntExact(offsets.distance());
    }
    ldc = Math.toIntExact(out.dim(-1));
    weight = w.nativeWeight(ctx);
    scales = w.quantization() == Quantization.NONE ? null : w.int8Weight(ctx).scales();
    bias = w.floatBias();
  }

  private static PostOp postOp(Activation activation) {
    return switch (activation) {
      case NONE -> null;
      case RELU -> PostOp.Activation.RELU;
      case SILU -> PostOp.Activation.SILU;
      case GELU -> PostOp.Activation.GELU_ERF;
      case GELU_TANH -> PostOp.Activation.GELU_TANH;
      case QUICK_GELU -> PostOp.Activation.QUICK_GELU;
    };
  }

  /// Fills the contiguous result, `out` (..., N).
  static void run(Context ctx, Tensor x, LinearWeight w, Epilogue epilogue, Tensor out) {
    new NativeLinear(ctx, x, w, out).run(epilogue);
  }

  /// Fills `out` (..., N / 2), or returns false if the weight's blocks do not suit.
  static boolean geglu(Context ctx, Tensor x, LinearWeight w, Tensor out) {
    if (!w.nativeWeight(ctx).hasHalves()) {
      return false;
    }
    new NativeLinear(ctx, x, w, out).geglu();
    return true;
  }

  private void run(Epilogue epilogue) {
    int n = Math.toIntExact(out.dim(-1));
    // A task's rows are of one image, where images have columns of their own.
    long images = epilogue.columns() == null ? 1 : epilogue.columns().dim(0);
    var tail = postOps(epilogue, weight.type(), out);
    forEach(
        images,
        weight.blocks().length,
        0,
        (image, row, count, index, scratch) -> {
          var block = weight.blocks()[index];
          long at = (row * n + block.from()) * weight.type().bytes();
          var operands = new ArrayList<MemorySegment>(2);
          if (epilogue.columns() != null) {
            long column = image * n + block.from();
            operands.add(epilogue.columns().segment().asSlice(column * weight.type().bytes()));
          }
          if (epilogue.residual() != null && !epilogue.inPlace(out)) {
            operands.add(epilogue.residual().segment().asSlice(at));
          }
          multiply(row, count, block, scratch, tail, operands, out.segment().asSlice(at));
        });
  }

  /// What `epilogue` is to oneDNN, which is faster at adding to what is there than at adding
  /// another operand.
  public static List<PostOp> postOps(Epilogue epilogue, ElementType type, Tensor out) {
    var chain = new ArrayList<PostOp>();
    if (epilogue.columns() != null) {
      chain.add(new PostOp.Binary(Op.ADD, type, Extent.PER_COLUMN));
    }
    var activation = postOp(epilogue.activation());
    if (activation != null) {
      chain.add(activation);
    }
    if (epilogue.inPlace(out)) {
      chain.add(PostOp.ACCUMULATE);
    } else if (epilogue.residual() != null) {
      chain.add(new PostOp.Binary(Op.ADD, type, Extent.EVERY_ELEMENT));
    }
    return chain;
  }

  /// Gates first, into scratch memory, whose rows are as far apart as the result's, and then values
  /// times these.
  private void geglu() {
    int half = weight.blocks().length / 2;
    int bytes = weight.type().bytes();
    List<PostOp> gelu = List.of(PostOp.Activation.GELU_ERF);
    List<PostOp> times =
        List.of(new PostOp.Binary(Op.MULTIPLY, weight.type(), Extent.EVERY_ELEMENT));
    forEach(
        1,
        half,
        Math.min(rows, ROWS) * ldc * bytes,
        (image, row, count, index, scratch) -> {
          var values = weight.blocks()[index];
          var gates = weight.blocks()[half + index];
          var gate = scratch.memory().asSlice(scratch.at() + weightScratch());
          multiply(row, count, gates, scratch, gelu, List.of(), gate);
          long at = (row * ldc + values.from()) * bytes;
          multiply(row, count, values, scratch, times, List.of(gate), out.segment().asSlice(at));
        });
  }

  private interface Task {
    /// Multiplies some rows with a block of the weight.
    ///
    /// @param block the task's number of those of one chunk of rows
    void run(long image, long row, int count, int block, Scratch scratch);
  }

  private long weightScratch() {
    return weight.isConverted() ? weight.scratchBytes() : 0;
  }

  private void forEach(long images, int blocks, long scratchBytes, Task task) {
    long perImage = rows / images;
    long chunks = chunks(perImage, images * blocks, scratchBytes == 0);
    long perChunk = Math.ceilDiv(perImage, chunks);
    long stride = weightScratch() + scratchBytes + 63 & -64;
    var memory = ctx.perWorker(stride);
    ctx.forEach(
        images * chunks * blocks,
        1,
        (worker, from, to) -> {
          var scratch = new Scratch(memory, worker * stride);
          for (long i = from; i < to; i++) {
            long chunk = i / blocks;
            long image = chunk / chunks;
            long first = chunk % chunks * perChunk;
            int count = (int) Math.min(perChunk, perImage - first);
            task.run(image, image * perImage + first, count, (int) (i % blocks), scratch);
          }
        });
  }

  /// Into how many parts an image's rows are divided.
  private long chunks(long perImage, long tasksPerChunk, boolean any) {
    if (!any) {
      return Math.ceilDiv(perImage, ROWS);
    }
    if (weight.isConverted()) {
      return 1; // converting a block is worth doing for many rows
    }
    long most = weight.isPacked() ? ROWS : ROWS_PER_REARRANGEMENT;
    long tasks = (long) TASKS_PER_THREAD * ctx.workers().threads();
    long wanted = Math.min(Math.ceilDiv(tasks, tasksPerChunk), Math.ceilDiv(perImage, MIN_ROWS));
    return Math.max(Math.ceilDiv(perImage, most), wanted);
  }

  private void multiply(
      long row,
      int count,
      NativeWeight.Block block,
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
            Math.toIntExact(x.dim(-1)),
            type,
            type,
            type,
            lda,
            block.layout(),
            ldc,
            blockBias == null ? null : ElementType.F32,
            false,
            postOps);
    OneDnn.matmul(
        spec,
        x.segment().asSlice(row * lda * type.bytes()),
        weight.memory(block, scratch),
        target,
        new Operands(blockBias, null, null, operands));
  }
}
