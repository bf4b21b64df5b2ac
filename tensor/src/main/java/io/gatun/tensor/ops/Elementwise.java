package io.gatun.tensor.ops;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.NetworkKernels;
import java.lang.foreign.MemorySegment;

/// Operations that know no neighbours.
final class Elementwise {
  private Elementwise() {}

  /// A copy of a plain tensor, which may have gaps, in a type of activations.
  static Tensor cast(Functional f, Tensor x, DType.Plain to) {
    if (!(x.dtype() instanceof DType.Plain)) {
      throw new IllegalArgumentException(
          "%s %s is not of a plain type".formatted(x.dtype().name(), x.shape()));
    }
    var out = f.ops().workspace().take(to, x.shape().dims());
    if (!RowOffsets.hasWholeRows(x)) {
      try (var _ = f.scope()) {
        copy(f, f.ops().dense(x), out);
      }
    } else {
      copy(f, x, out);
    }
    return out;
  }

  private static void copy(Functional f, Tensor x, Tensor out) {
    var rows = new RowOffsets(x);
    var to = (DType.Plain) out.dtype();
    var backend = f.ops().backend();
    long n = rows.columns();
    long stride = 4L * Math.min(n, RowMap.CHUNK);
    try (var _ = f.scope()) {
      MemorySegment scratch = f.ops().workspace().take(f.ops().workers().threads() * stride);
      f.ops()
          .workers()
          .forEach(
              rows.count(),
              Ops.grain(n),
              (worker, from, end) -> {
                for (long row = from; row < end; row++) {
                  long at = rows.element(row);
                  if (x.dtype() == to) {
                    long bytes = to.blockBytes();
                    MemorySegment.copy(
                        x.segment(), at * bytes, out.segment(), row * n * bytes, n * bytes);
                    continue;
                  }
                  for (long i = 0; i < n; i += RowMap.CHUNK) {
                    long count = Math.min(RowMap.CHUNK, n - i);
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

  static Tensor embedding(Functional f, int[] ids, Tensor table) {
    if (f.dtype() == DType.Plain.F32) {
      return f.ops().embedding(ids, table);
    }
    var out = f.empty(ids.length, table.dim(1));
    try (var _ = f.scope()) {
      var rows = f.ops().embedding(ids, table);
      RowMap.store(f.ops().backend(), rows.segment(), 0, out, 0, out.size());
    }
    return out;
  }

  static Tensor activate(Functional f, Tensor x, Activation activation) {
    var kernels = f.kernels();
    return RowMap.elements(
        f,
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
  static void apply(
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

  static Tensor geglu(Functional f, Tensor x) {
    Check.activations("x", x, f.dtype());
    var dims = x.shape().dims();
    dims[dims.length - 1] /= 2;
    Check.same("columns of x", x.dim(-1), "of values and as many gates", 2 * dims[dims.length - 1]);
    var out = f.empty(dims);
    try (var _ = f.scope()) {
      geglu(f, x, out);
    }
    return out;
  }

  static void geglu(Functional f, Tensor x, Tensor result) {
    int c = Math.toIntExact(result.dim(-1));
    var kernels = f.kernels();
    RowMap.run(
        f,
        x,
        2 * c,
        result,
        c,
        (worker, from, n, in, inAt, out, outAt) ->
            kernels.geglu(in, inAt, in, inAt + 4L * c, c, out, outAt));
  }

  static Tensor scale(Functional f, Tensor x, float factor) {
    var kernels = f.ops().kernels();
    return RowMap.elements(
        f,
        x,
        (worker, from, n, in, inAt, out, outAt) -> kernels.scale(in, inAt, factor, n, out, outAt));
  }

  static Tensor add(Functional f, Tensor x, Tensor y) {
    Check.activations("y", y, f.dtype());
    x.shape().requireEnd(y.shape());
    var kernels = f.ops().kernels();
    var backend = f.ops().backend();
    long period = y.size();
    boolean f32 = f.dtype() == DType.Plain.F32;
    int threads = f.ops().workers().threads();
    var scratch = f.ops().workspace().take(f32 ? 0 : 4L * RowMap.CHUNK * threads);
    return RowMap.elements(
        f,
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
            kernels.add(in, inAt + 4L * i, other, otherAt, count, out, outAt + 4L * i);
            i += count;
          }
        });
  }

  static Tensor concat(Functional f, Tensor... tensors) {
    var parts = new RowOffsets[tensors.length];
    long columns = 0;
    for (int i = 0; i < tensors.length; i++) {
      Check.dtype("a tensor to concatenate", tensors[i], f.dtype());
      parts[i] = new RowOffsets(tensors[i]);
      Check.same("rows of a tensor to concatenate", parts[i].count(), "rows", parts[0].count());
      columns += parts[i].columns();
    }
    var dims = tensors[0].shape().dims();
    dims[dims.length - 1] = columns;
    var out = f.empty(dims);
    long bytes = f.dtype().blockBytes();
    long rowBytes = columns * bytes;
    f.ops()
        .workers()
        .forEach(
            parts[0].count(),
            Ops.grain(columns),
            (worker, from, to) -> {
              long at = from * rowBytes;
              for (long row = from; row < to; row++) {
                for (int i = 0; i < tensors.length; i++) {
                  long length = parts[i].columns() * bytes;
                  MemorySegment.copy(
                      tensors[i].segment(),
                      parts[i].element(row) * bytes,
                      out.segment(),
                      at,
                      length);
                  at += length;
                }
              }
            });
    return out;
  }
}
