package io.gatun.tensor.ops;

import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/// Linear layers on activations of either type: through oneDNN, or as [Linear] does it, with the
/// rest done row by row.
final class LinearLayer {
  private LinearLayer() {}

  static Tensor apply(Functional f, Tensor x, LinearWeight w, Epilogue epilogue) {
    return into(f, x, w, epilogue, f.empty(dims(f, x, w, w.outFeatures())));
  }

  /// Adds a layer's result to y, and returns it.
  static Tensor add(Functional f, Tensor y, Tensor x, LinearWeight w) {
    Check.result("y", y, f.dtype(), dims(f, x, w, w.outFeatures()));
    return into(f, x, w, Epilogue.add(y), y);
  }

  /// Fills `out` (..., N), which may be the epilogue's residual, and returns it.
  static Tensor into(Functional f, Tensor x, LinearWeight w, Epilogue epilogue, Tensor out) {
    epilogue.check(f, out);
    if (out.size() == 0) {
      return out;
    }
    try (var _ = f.scope()) {
      if (w.quantization() == Quantization.INT8_DYNAMIC && Int8Weight.packs(f)) {
        Int8Linear.run(f, x, w, epilogue, out);
      } else if (f.usesOneDnn() && w.quantization() != Quantization.INT8_DYNAMIC) {
        NativeLinear.run(f, x, w, epilogue, out);
      } else {
        unfused(f, x, w, epilogue, out);
      }
    }
    return out;
  }

  static Tensor geglu(Functional f, Tensor x, LinearWeight w) {
    long half = w.outFeatures() / 2;
    Check.same("rows of the weight", w.outFeatures(), "of values and as many gates", 2 * half);
    var out = f.empty(dims(f, x, w, half));
    if (out.size() == 0) {
      return out;
    }
    try (var _ = f.scope()) {
      boolean done =
          w.quantization() == Quantization.INT8_DYNAMIC
              ? Int8Weight.packs(f) && Int8Linear.geglu(f, x, w, out)
              : f.usesOneDnn() && NativeLinear.geglu(f, x, w, out);
      if (!done) {
        Elementwise.geglu(f, apply(f, x, w, Epilogue.NONE), out);
      }
    }
    return out;
  }

  private static long[] dims(Functional f, Tensor x, LinearWeight w, long columns) {
    Check.dtype("x", x, f.dtype());
    Check.same("columns of x", x.dim(-1), "columns of the weight", w.inFeatures());
    var dims = x.shape().dims();
    dims[dims.length - 1] = columns;
    return dims;
  }

  private static void unfused(
      Functional f, Tensor x, LinearWeight w, Epilogue epilogue, Tensor out) {
    var activations = f.toF32(x);
    if (w.quantization() == Quantization.INT8_DYNAMIC) {
      roundTo8Bits(f, activations);
    }
    if (w.quantization() != Quantization.NONE) {
      var int8 = w.int8Weight(f);
      var product = f.ops().linear(activations, int8.values());
      scale(f, product, int8.scales());
      finish(f, product, 0, w.floatBias(), epilogue, out);
      return;
    }
    long first = 0;
    for (var product : f.ops().linears(activations, w.weights().toArray(Tensor[]::new))) {
      finish(f, product, first, w.floatBias(), epilogue, out);
      first += product.dim(-1);
    }
  }

  private static void roundTo8Bits(Functional f, Tensor x) {
    int k = Math.toIntExact(x.dim(-1));
    RowMap.run(
        f,
        x,
        k,
        x,
        k,
        (worker, from, n, in, inAt, out, outAt) ->
            f.kernels().roundTo8Bits(in, inAt, k, out, outAt));
  }

  /// Multiplies each row of x (T, N), F32, with N scales.
  private static void scale(Functional f, Tensor x, MemorySegment scales) {
    int n = Math.toIntExact(x.dim(-1));
    var factors = f.ops().workspace().take(8L * n);
    MemorySegment.copy(scales, 0, factors, 0, 4L * n);
    factors.asSlice(4L * n).fill((byte) 0);
    RowMap.run(
        f,
        x,
        n,
        x,
        n,
        (worker, from, count, in, inAt, out, outAt) ->
            f.kernels().scaleShift(in, inAt, factors, 0, n, out, outAt));
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
