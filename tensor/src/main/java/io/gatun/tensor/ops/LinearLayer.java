package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/// Linear layers on activations of either type: through oneDNN, or as [Linear] does it, with the
/// rest done row by row.
final class LinearLayer {
  private LinearLayer() {}

  static Tensor apply(Functional f, Tensor x, LinearWeight w, Epilogue epilogue) {
    Check.dtype("x", x, f.dtype());
    Check.same("columns of x", x.dim(-1), "columns of the weight", w.inFeatures());
    var dims = x.shape().dims();
    dims[dims.length - 1] = w.outFeatures();
    var out = f.empty(dims);
    check(f, epilogue, out);
    if (out.size() == 0) {
      return out;
    }
    try (var scope = f.scope()) {
      if (f.ops().backend() == Backend.NATIVE && NativeLinear.supports(f.dtype())) {
        NativeLinear.run(f, x, w, epilogue, out);
      } else {
        long first = 0;
        for (var product : Linear.apply(f.ops(), f.toF32(x), w.weights().toArray(Tensor[]::new))) {
          finish(f, product, first, w.floatBias(), epilogue, out);
          first += product.dim(-1);
        }
      }
    }
    return out;
  }

  private static void check(Functional f, Epilogue epilogue, Tensor out) {
    var columns = epilogue.columns();
    if (columns != null) {
      Check.activations("columns", columns, f.dtype());
      Check.rank("columns", columns, 2);
      Check.same("images of columns", columns.dim(0), "images of x", out.dim(0));
      Check.same("features of columns", columns.dim(1), "features", out.dim(-1));
    }
    var residual = epilogue.residual();
    if (residual != null) {
      Check.activations("residual", residual, f.dtype());
      if (!residual.shape().equals(out.shape())) {
        throw new IllegalArgumentException(
            "residual has shape %s; need the result's, %s"
                .formatted(residual.shape(), out.shape()));
      }
    }
  }

  /// What follows a product, F32, which is overwritten: the columns of the result from `first` on.
  static void finish(
      Functional f,
      Tensor product,
      long first,
      MemorySegment bias,
      Epilogue epilogue,
      Tensor out) {
    var backend = f.ops().backend();
    var kernels = f.ops().kernels();
    int n = Math.toIntExact(product.dim(-1));
    long all = out.dim(-1);
    long rows = out.size() / all;
    var scratch = f.ops().workspace().take(4L * n * f.ops().workers().threads());
    f.ops()
        .workers()
        .forEach(
            rows,
            Ops.grain(n),
            (worker, from, to) -> {
              long other = 4L * n * worker;
              for (long row = from; row < to; row++) {
                var y = product.segment();
                long at = 4 * row * n;
                if (bias != null) {
                  kernels.add(y, at, bias, 4 * first, n, y, at);
                }
                if (epilogue.columns() != null) {
                  long image = row / (rows / epilogue.columns().dim(0));
                  RowMap.load(backend, epilogue.columns(), image * all + first, n, scratch, other);
                  kernels.add(y, at, scratch, other, n, y, at);
                }
                Elementwise.apply(f.kernels(), epilogue.activation(), y, at, n, y, at);
                if (epilogue.residual() != null) {
                  RowMap.load(backend, epilogue.residual(), row * all + first, n, scratch, other);
                  kernels.add(y, at, scratch, other, n, y, at);
                }
                RowMap.store(backend, y, at, out, row * all + first, n);
              }
            });
  }
}
