package io.gatun.tensor.ops.conv;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Gemm;
import io.gatun.tensor.ops.rows.F32Epilogue;
import java.lang.foreign.MemorySegment;

/// The transposed convolution with 2x2 kernels and stride 2, whose outputs do not overlap: an input
/// row (W, C) gives two output rows (2 W, O), each its product with a matrix (C, 2 O).
public final class ConvTranspose {
  private ConvTranspose() {}

  public static Tensor apply(Context ctx, Tensor x, Tensor weight, Tensor bias) {
    Check.activations("x", x, ctx.dtype());
    Check.rank("x", x, 4);
    Check.rank("weight", weight, 4);
    Check.same("channels of x", x.dim(3), "input channels of the weight", weight.dim(0));
    Check.same("kernel height", weight.dim(2), "needed", 2);
    Check.same("kernel width", weight.dim(3), "needed", 2);
    Check.same("bias", bias.size(), "output channels of the weight", weight.dim(1));
    int c = Math.toIntExact(weight.dim(0));
    int o = Math.toIntExact(weight.dim(1));
    int width = Math.toIntExact(x.dim(2));
    var out = ctx.empty(x.dim(0), 2 * x.dim(1), 2L * width, o);
    try (var _ = ctx.scope()) {
      var matrices = matrices(ctx, ctx.dense(weight), c, o);
      var epilogue =
          new F32Epilogue(
              ctx,
              null,
              twice(ctx, ctx.dense(bias), o),
              Epilogue.NONE,
              out.reshape(1, 2 * x.dim(1) * x.dim(0), width, 2L * o));
      long scratchBytes = 4L * width * (c + 2L * o);
      var scratch = ctx.perWorker(scratchBytes);
      ctx.forEach(
          x.dim(0) * x.dim(1),
          1,
          (worker, from, to) -> {
            long rows = worker * scratchBytes;
            long sums = rows + 4L * width * c;
            for (long row = from; row < to; row++) {
              long source = row * width * c * ctx.dtype().blockBytes();
              Unpack.toFloat(ctx.dtype(), x.segment(), source, scratch, rows, (long) width * c);
              for (int half = 0; half < 2; half++) {
                Gemm.multiply(
                    ctx,
                    scratch,
                    rows,
                    c,
                    matrices,
                    4L * half * c * 2 * o,
                    2 * o,
                    scratch,
                    sums,
                    2 * o,
                    width,
                    2 * o,
                    c,
                    false);
                long target = (2 * row + half) * width;
                epilogue.store(worker, scratch, sums, 2L * o, target, width, 0, 2 * o);
              }
            }
          });
    }
    return out;
  }

  /// The weight (C, O, 2, 2) as (2, C, 2, O), F32.
  private static MemorySegment matrices(Context ctx, Tensor weight, int c, int o) {
    var rows = ctx.workspace().take(4 * weight.size());
    Unpack.toFloat(weight.dtype(), weight.segment(), 0, rows, 0, weight.size());
    var result = ctx.workspace().take(4 * weight.size());
    for (int i = 0; i < c; i++) {
      for (int j = 0; j < o; j++) {
        for (int tap = 0; tap < 4; tap++) {
          long to = (((long) tap / 2 * c + i) * 2 + tap % 2) * o + j;
          Floats.set(result, 0, to, Floats.get(rows, 0, ((long) i * o + j) * 4 + tap));
        }
      }
    }
    return result;
  }

  private static MemorySegment twice(Context ctx, Tensor bias, int o) {
    var result = ctx.workspace().take(8L * o);
    Unpack.toFloat(bias.dtype(), bias.segment(), 0, result, 0, o);
    MemorySegment.copy(result, 0, result, 4L * o, 4L * o);
    return result;
  }
}
