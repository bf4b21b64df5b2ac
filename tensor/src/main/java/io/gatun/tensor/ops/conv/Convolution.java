package io.gatun.tensor.ops.conv;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.linear.Linear;
import io.gatun.tensor.ops.rows.F32Epilogue;
import io.gatun.tensor.ops.rows.Images;

/// Checks a convolution and has it done.
public final class Convolution {
  private Convolution() {}

  /// Additions and multiplications.
  public static long flops(Tensor x, ConvWeight w) {
    var shape = ConvShape.of(x, w);
    return 2L * shape.taps() * w.inChannels() * w.outChannels() * shape.batch() * shape.outPixels();
  }

  public static Tensor apply(Context ctx, Tensor x, ConvWeight w, Epilogue epilogue) {
    return into(ctx, x, w, epilogue, ctx.empty(ConvShape.of(x, w).outDims()));
  }

  /// Adds a convolution's result to y, and returns it.
  public static Tensor add(Context ctx, Tensor y, Tensor x, ConvWeight w) {
    Check.result("y", y, ctx.dtype(), ConvShape.of(x, w).outDims());
    return into(ctx, x, w, Epilogue.add(y), y);
  }

  /// Fills `out`, which may be the epilogue's residual, and returns it.
  private static Tensor into(Context ctx, Tensor x, ConvWeight w, Epilogue epilogue, Tensor out) {
    Check.activations("x", x, ctx.dtype());
    var shape = ConvShape.of(x, w);
    F32Epilogue.check(ctx, epilogue, out);
    if (out.size() == 0) {
      return out;
    }
    var forms = new ConvForms(ctx, w);
    try (var _ = ctx.scope()) {
      if (ctx.backend() != Backend.SCALAR && forms.isPatchwise()) {
        patchwise(ctx, x, forms, shape, epilogue, out);
        return out;
      }
      var plan = ConvPlan.choose(ctx, x, forms, shape, epilogue, out);
      ctx.each(plan.tasks(), plan.grain(), (worker, task) -> plan.run(worker, task));
    }
    return out;
  }

  /// The linear layer that a convolution is whose kernels do not overlap: of pixels, where a kernel
  /// is one, or else of patches, which are as many values as the image's.
  private static void patchwise(
      Context ctx, Tensor x, ConvForms w, ConvShape s, Epilogue epilogue, Tensor out) {
    long[] rows = {s.batch(), s.outPixels(), s.outChannels()};
    var flat = out.reshape(rows);
    var residual = epilogue.residual();
    if (residual != null) {
      residual = epilogue.inPlace(out) ? flat : residual.reshape(rows);
    }
    var patches =
        s.taps() == 1
            ? x.reshape(rows[0], rows[1], s.channels())
            : Images.patches(ctx, x, s.outHeight(), s.outWidth(), s.stride());
    var rest = new Epilogue(epilogue.activation(), epilogue.columns(), residual);
    Linear.into(ctx, patches, w.linear(), rest, flat);
  }
}
