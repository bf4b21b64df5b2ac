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
    epilogue.check(f, out);
    if (out.size() == 0) {
      return out;
    }
    try (var _ = f.scope()) {
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

  /// What follows a product, F32, which is overwritten: the columns of the result from `first` on.
  static void finish(
      Functional f, Tensor product, long first, MemorySegment bias, Epilogue epilogue, Tensor out) {
    int n = Math.toIntExact(product.dim(-1));
    var rest = new F32Epilogue(f, bias, epilogue, out);
    f.ops()
        .workers()
        .forEach(
            product.size() / n,
            Ops.grain(n),
            (worker, from, to) ->
                rest.store(
                    worker,
                    product.segment(),
                    4 * from * n,
                    n,
                    from,
                    Math.toIntExact(to - from),
                    Math.toIntExact(first),
                    n));
  }
}
