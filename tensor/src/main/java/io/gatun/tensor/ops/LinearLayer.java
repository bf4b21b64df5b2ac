package io.gatun.tensor.ops;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.RowMap;
import io.gatun.tensor.ops.rows.Elementwise;
import io.gatun.tensor.ops.rows.F32Epilogue;
import java.lang.foreign.MemorySegment;

/// Linear layers on activations of either type: through oneDNN, or as [Linear] does it, with the
/// rest done row by row.
public final class LinearLayer {
  private LinearLayer() {}

  public static Tensor apply(Context ctx, Tensor x, LinearWeight w, Epilogue epilogue) {
    return into(ctx, x, w, epilogue, ctx.empty(dims(ctx, x, w, w.outFeatures())));
  }

  /// Adds a layer's result to y, and returns it.
  public static Tensor add(Context ctx, Tensor y, Tensor x, LinearWeight w) {
    Check.result("y", y, ctx.dtype(), dims(ctx, x, w, w.outFeatures()));
    return into(ctx, x, w, Epilogue.add(y), y);
  }

  /// Fills `out` (..., N), which may be the epilogue's residual, and returns it.
  public static Tensor into(Context ctx, Tensor x, LinearWeight w, Epilogue epilogue, Tensor out) {
    F32Epilogue.check(ctx, epilogue, out);
    if (out.size() == 0) {
      return out;
    }
    try (var _ = ctx.scope()) {
      if (w.quantization() == Quantization.INT8_DYNAMIC && Int8Weight.packs(ctx)) {
        Int8Linear.run(ctx, x, w, epilogue, out);
      } else if (ctx.usesOneDnn() && w.quantization() != Quantization.INT8_DYNAMIC) {
        NativeLinear.run(ctx, x, w, epilogue, out);
      } else {
        unfused(ctx, x, w, epilogue, out);
      }
    }
    return out;
  }

  public static Tensor geglu(Context ctx, Tensor x, LinearWeight w) {
    long half = w.outFeatures() / 2;
    Check.same("rows of the weight", w.outFeatures(), "of values and as many gates", 2 * half);
    var out = ctx.empty(dims(ctx, x, w, half));
    if (out.size() == 0) {
      return out;
    }
    try (var _ = ctx.scope()) {
      boolean done =
          w.quantization() == Quantization.INT8_DYNAMIC
              ? Int8Weight.packs(ctx) && Int8Linear.geglu(ctx, x, w, out)
              : ctx.usesOneDnn() && NativeLinear.geglu(ctx, x, w, out);
      if (!done) {
        Elementwise.geglu(ctx, apply(ctx, x, w, Epilogue.NONE), out);
      }
    }
    return out;
  }

  private static long[] dims(Context ctx, Tensor x, LinearWeight w, long columns) {
    Check.dtype("x", x, ctx.dtype());
    Check.same("columns of x", x.dim(-1), "columns of the weight", w.inFeatures());
    var dims = x.shape().dims();
    dims[dims.length - 1] = columns;
    return dims;
  }

  private static void unfused(
      Context ctx, Tensor x, LinearWeight w, Epilogue epilogue, Tensor out) {
    var activations = Elementwise.cast(ctx, x, DType.Plain.F32);
    if (w.quantization() == Quantization.INT8_DYNAMIC) {
      roundTo8Bits(ctx, activations);
    }
    if (w.quantization() != Quantization.NONE) {
      var int8 = w.int8Weight(ctx);
      var product = Linear.apply(ctx, activations, int8.values())[0];
      scale(ctx, product, int8.scales());
      finish(ctx, product, 0, w.floatBias(), epilogue, out);
      return;
    }
    long first = 0;
    for (var product : Linear.apply(ctx, activations, w.weights().toArray(Tensor[]::new))) {
      finish(ctx, product, first, w.floatBias(), epilogue, out);
      first += product.dim(-1);
    }
  }

  private static void roundTo8Bits(Context ctx, Tensor x) {
    int k = Math.toIntExact(x.dim(-1));
    RowMap.run(
        ctx,
        x,
        k,
        x,
        k,
        (worker, from, n, in, inAt, out, outAt) ->
            ctx.networkKernels().roundTo8Bits(in, inAt, k, out, outAt));
  }

  /// Multiplies each row of x (T, N), F32, with N scales.
  private static void scale(Context ctx, Tensor x, MemorySegment scales) {
    int n = Math.toIntExact(x.dim(-1));
    var factors = ctx.workspace().take(8L * n);
    MemorySegment.copy(scales, 0, factors, 0, 4L * n);
    factors.asSlice(4L * n).fill((byte) 0);
    RowMap.run(
        ctx,
        x,
        n,
        x,
        n,
        (worker, from, count, in, inAt, out, outAt) ->
            ctx.networkKernels().scaleShift(in, inAt, factors, 0, n, out, outAt));
  }

  /// What follows a product, F32, which is overwritten: the columns of the result from `first` on.
  public static void finish(
      Context ctx, Tensor product, long first, MemorySegment bias, Epilogue epilogue, Tensor out) {
    int n = Math.toIntExact(product.dim(-1));
    var rest = new F32Epilogue(ctx, bias, epilogue, out);
    ctx.forEach(
        product.size() / n,
        Context.grain(n),
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
