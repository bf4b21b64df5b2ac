package io.gatun.tensor.ops.rows;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.NetworkKernels;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.RowMap;
import io.gatun.tensor.ops.context.RowOffsets;
import io.gatun.tensor.ops.context.WeightRows;
import java.lang.foreign.MemorySegment;

/// Operations that know no neighbours.
public final class Elementwise {
  private Elementwise() {}

  /// A copy of a plain tensor, which may have gaps, in a type of activations.
  public static Tensor cast(Context ctx, Tensor x, DType.Plain to) {
    if (!(x.dtype() instanceof DType.Plain)) {
      throw new IllegalArgumentException(
          "%s %s is not of a plain type".formatted(x.dtype().name(), x.shape()));
    }
    var out = ctx.workspace().take(to, x.shape().dims());
    if (!RowOffsets.hasWholeRows(x)) {
      try (var _ = ctx.scope()) {
        copy(ctx, ctx.dense(x), out);
      }
    } else {
      copy(ctx, x, out);
    }
    return out;
  }

  private static void copy(Context ctx, Tensor x, Tensor out) {
    var rows = new RowOffsets(x);
    var to = (DType.Plain) out.dtype();
    var backend = ctx.backend();
    // Without gaps rows mean nothing, and those of three colours would be slow.
    boolean dense = rows.distance() == rows.columns();
    long n = dense ? RowMap.CHUNK : rows.columns();
    long stride = 4L * Math.min(n, RowMap.CHUNK);
    try (var _ = ctx.scope()) {
      MemorySegment scratch = ctx.workspace().take(ctx.workers().threads() * stride);
      ctx.forEach(
          dense ? Math.ceilDiv(x.size(), n) : rows.count(),
          Context.grain(n),
          (worker, from, end) -> {
            for (long row = from; row < end; row++) {
              long at = dense ? row * n : rows.element(row);
              long columns = Math.min(n, x.size() - row * n);
              if (x.dtype() == to) {
                long bytes = to.blockBytes();
                MemorySegment.copy(
                    x.segment(), at * bytes, out.segment(), row * n * bytes, columns * bytes);
                continue;
              }
              for (long i = 0; i < columns; i += RowMap.CHUNK) {
                long count = Math.min(RowMap.CHUNK, columns - i);
                if (to == DType.Plain.F32) {
                  RowMap.load(backend, x, at + i, count, out.segment(), 4 * (row * n + i));
                } else {
                  RowMap.load(backend, x, at + i, count, scratch, worker * stride);
                  RowMap.store(backend, scratch, worker * stride, out, row * n + i, count);
                }
              }
            }
          });
    }
  }

  public static Tensor embedding(Context ctx, int[] ids, Tensor table) {
    if (ctx.dtype() == DType.Plain.F32) {
      return WeightRows.gather(ctx, ids, table);
    }
    var out = ctx.empty(ids.length, table.dim(1));
    try (var _ = ctx.scope()) {
      var rows = WeightRows.gather(ctx, ids, table);
      RowMap.store(ctx.backend(), rows.segment(), 0, out, 0, out.size());
    }
    return out;
  }

  public static Tensor activate(Context ctx, Tensor x, Activation activation) {
    var kernels = ctx.networkKernels();
    return RowMap.elements(
        ctx,
        x,
        (worker, from, n, in, inAt, out, outAt) -> {
          if (activation == Activation.NONE) {
            MemorySegment.copy(in, inAt, out, outAt, 4L * n);
          } else {
            apply(kernels, activation, in, inAt, n, out, outAt);
          }
        });
  }

  /// The kernel of an activation; NONE leaves `out` alone, which is for results in place.
  public static void apply(
      NetworkKernels kernels,
      Activation activation,
      MemorySegment x,
      long xAt,
      int n,
      MemorySegment out,
      long outAt) {
    switch (activation) {
      case NONE -> {}
      case RELU -> kernels.relu(x, xAt, n, out, outAt);
      case SILU -> kernels.swish(x, xAt, 1, n, out, outAt);
      case QUICK_GELU -> kernels.swish(x, xAt, 1.702f, n, out, outAt);
      case GELU -> kernels.gelu(x, xAt, n, out, outAt);
      case GELU_TANH -> kernels.geluTanh(x, xAt, n, out, outAt);
    }
  }

  public static Tensor geglu(Context ctx, Tensor x) {
    Check.activations("x", x, ctx.dtype());
    var dims = x.shape().dims();
    dims[dims.length - 1] /= 2;
    Check.same("columns of x", x.dim(-1), "of values and as many gates", 2 * dims[dims.length - 1]);
    var out = ctx.empty(dims);
    try (var _ = ctx.scope()) {
      geglu(ctx, x, out);
    }
    return out;
  }

  public static void geglu(Context ctx, Tensor x, Tensor result) {
    int c = Math.toIntExact(result.dim(-1));
    var kernels = ctx.networkKernels();
    RowMap.run(
        ctx,
        x,
        2 * c,
        result,
        c,
        (worker, from, n, in, inAt, out, outAt) ->
            kernels.geglu(in, inAt, in, inAt + 4L * c, c, out, outAt));
  }

  public static Tensor scale(Context ctx, Tensor x, float factor) {
    var kernels = ctx.kernels();
    return RowMap.elements(
        ctx,
        x,
        (worker, from, n, in, inAt, out, outAt) -> kernels.scale(in, inAt, factor, n, out, outAt));
  }

  public static Tensor add(Context ctx, Tensor x, Tensor y) {
    return pairwise(ctx, x, y, ctx.kernels()::add);
  }

  public static Tensor mul(Context ctx, Tensor x, Tensor y) {
    return pairwise(ctx, x, y, ctx.kernels()::mul);
  }

  private static Tensor pairwise(Context ctx, Tensor x, Tensor y, F32Rows.PairKernel kernel) {
    Check.activations("y", y, ctx.dtype());
    x.shape().requireEnd(y.shape());
    var backend = ctx.backend();
    long period = y.size();
    boolean f32 = ctx.dtype() == DType.Plain.F32;
    int threads = ctx.workers().threads();
    var scratch = ctx.workspace().take(f32 ? 0 : 4L * RowMap.CHUNK * threads);
    return RowMap.elements(
        ctx,
        x,
        (worker, from, n, in, inAt, out, outAt) -> {
          for (int i = 0; i < n; ) {
            long at = (from + i) % period;
            int count = (int) Math.min(n - i, period - at);
            MemorySegment other = y.segment();
            long otherAt = 4 * at;
            if (!f32) {
              other = scratch;
              otherAt = 4L * RowMap.CHUNK * worker;
              RowMap.load(backend, y, at, count, other, otherAt);
            }
            kernel.run(in, inAt + 4L * i, other, otherAt, count, out, outAt + 4L * i);
            i += count;
          }
        });
  }

  public static Tensor concat(Context ctx, Tensor... tensors) {
    var parts = new RowOffsets[tensors.length];
    long columns = 0;
    for (int i = 0; i < tensors.length; i++) {
      Check.dtype("a tensor to concatenate", tensors[i], ctx.dtype());
      parts[i] = new RowOffsets(tensors[i]);
      Check.same("rows of a tensor to concatenate", parts[i].count(), "rows", parts[0].count());
      columns += parts[i].columns();
    }
    var dims = tensors[0].shape().dims();
    dims[dims.length - 1] = columns;
    var out = ctx.empty(dims);
    long bytes = ctx.dtype().blockBytes();
    long rowBytes = columns * bytes;
    ctx.forEach(
        parts[0].count(),
        Context.grain(columns),
        (worker, from, to) -> {
          long at = from * rowBytes;
          for (long row = from; row < to; row++) {
            for (int i = 0; i < tensors.length; i++) {
              long length = parts[i].columns() * bytes;
              MemorySegment.copy(
                  tensors[i].segment(), parts[i].element(row) * bytes, out.segment(), at, length);
              at += length;
            }
          }
        });
    return out;
  }
}
