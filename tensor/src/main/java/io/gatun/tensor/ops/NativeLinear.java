package io.gatun.tensor.ops;

import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.Operands;
import io.gatun.ffm.PostOp;
import io.gatun.ffm.PostOp.Binary.Extent;
import io.gatun.ffm.PostOp.Binary.Op;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// A linear layer through oneDNN, with everything that follows fused: tasks of some rows of
/// activations and a block of the weight.
final class NativeLinear {
  /// Rows of activations in a task.
  private static final long ROWS = Long.getLong("mm", 512);

  private final Functional f;
  private final Tensor x;
  private final int lda;
  private final NativeWeight weight;
  private final MemorySegment bias;
  private final Epilogue epilogue;
  private final Tensor out;
  private final List<PostOp> postOps;

  private NativeLinear(
      Functional f,
      Tensor x,
      int lda,
      NativeWeight weight,
      MemorySegment bias,
      Epilogue epilogue,
      Tensor out) {
    this.f = f;
    this.x = x;
    this.lda = lda;
    this.weight = weight;
    this.bias = bias;
    this.epilogue = epilogue;
    this.out = out;
    postOps = postOps(epilogue, weight.type());
  }

  /// What `epilogue` is to oneDNN.
  static List<PostOp> postOps(Epilogue epilogue, ElementType type) {
    List<PostOp> postOps = new ArrayList<>();
    if (epilogue.columns() != null) {
      postOps.add(new PostOp.Binary(Op.ADD, type, Extent.PER_COLUMN));
    }
    var activation = postOp(epilogue.activation());
    if (activation != null) {
      postOps.add(activation);
    }
    if (epilogue.residual() != null) {
      postOps.add(new PostOp.Binary(Op.ADD, type, Extent.EVERY_ELEMENT));
    }
    return postOps;
  }

  /// Whether oneDNN is fast here for activations of this type.
  static boolean supports(DType.Plain activations) {
    return OneDnn.supports(activations == DType.Plain.BF16 ? ElementType.BF16 : ElementType.F32);
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

  /// @param out the contiguous result (..., N)
  static void run(Functional f, Tensor x, LinearWeight w, Epilogue epilogue, Tensor out) {
    var rows = new RowOffsets(x);
    var activations = x;
    long lda = rows.distance();
    if (lda < rows.columns()) {
      activations = f.cast(x);
      lda = rows.columns();
    }
    var linear =
        new NativeLinear(
            f,
            activations,
            Math.toIntExact(lda),
            w.nativeWeight(f),
            w.floatBias(),
            epilogue,
            out);
    linear.run(rows.count());
  }

  private void run(long rows) {
    // A task's rows are of one image, where images have columns of their own.
    long images = epilogue.columns() == null ? 1 : epilogue.columns().dim(0);
    long perImage = rows / images;
    long most = weight.isConverted() ? perImage : ROWS;
    long chunks = Math.ceilDiv(perImage, most);
    long perChunk = Math.ceilDiv(perImage, chunks);
    int blocks = weight.blocks().length;
    long stride = weight.isConverted() ? weight.scratchBytes() : 0;
    var scratch = f.ops().workspace().take(stride * f.ops().workers().threads());
    f.ops()
        .workers()
        .forEach(
            images * chunks * blocks,
            1,
            (worker, from, to) -> {
              var own = new Scratch(scratch, worker * stride);
              for (long task = from; task < to; task++) {
                long chunk = task / blocks;
                long image = chunk / chunks;
                long first = chunk % chunks * perChunk;
                long count = Math.min(perChunk, perImage - first);
                var block = weight.blocks()[(int) (task % blocks)];
                multiply(image, image * perImage + first, (int) count, block, own);
              }
            });
  }

  private void multiply(
      long image, long row, int count, NativeWeight.Block block, Scratch scratch) {
    var type = weight.type();
    int k = Math.toIntExact(x.dim(-1));
    int n = Math.toIntExact(out.dim(-1));
    var spec =
        new MatmulSpec(
            count,
            block.count(),
            k,
            type,
            type,
            type,
            lda,
            block.layout(),
            n,
            bias == null ? null : ElementType.F32,
            false,
            postOps);
    long at = (row * n + block.from()) * type.bytes();
    var extra = new ArrayList<MemorySegment>(2);
    if (epilogue.columns() != null) {
      long column = image * n + block.from();
      extra.add(epilogue.columns().segment().asSlice(column * type.bytes()));
    }
    if (epilogue.residual() != null) {
      extra.add(epilogue.residual().segment().asSlice(at));
    }
    var operands =
        new Operands(
            bias == null ? null : bias.asSlice(4L * block.from()), null, null, extra);
    OneDnn.matmul(
        spec,
        x.segment().asSlice(row * lda * type.bytes()),
        weight.memory(block, scratch),
        out.segment().asSlice(at),
        operands);
  }
}
