package io.gatun.tensor.ops.conv;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.rows.F32Epilogue;

/// How one convolution is done: tasks that any worker may do, in any order.
sealed interface ConvPlan permits BandPlan, SlicePlan, PatchPlan, ScalarPlan {
  /// From so many bytes of weights on it pays to read them once for all images.
  long SLICED_BYTES = 8 << 20;

  /// The most output pixels of an image whose convolution is cut by channels instead of rows.
  int SLICED_PIXELS = 256;

  /// The plan for weights that are no linear layer of patches.
  ///
  /// @param out (B, outHeight, outWidth, O), which may be the epilogue's residual
  static ConvPlan choose(
      Context ctx, Tensor x, ConvForms w, ConvShape s, Epilogue epilogue, Tensor out) {
    if (ctx.usesOneDnn()) {
      long bytes = (long) s.taps() * s.channels() * s.outChannels() * ctx.elementType().bytes();
      boolean sliced =
          bytes > SLICED_BYTES
              && s.outPixels() <= SLICED_PIXELS
              && s.stride() == 1
              && s.outChannels() % SlicePlan.CHANNELS == 0;
      return sliced
          ? new SlicePlan(ctx, x, w, s, epilogue, out)
          : new BandPlan(ctx, x, w, s, epilogue, out);
    }
    var finish = new F32Epilogue(ctx, null, w.bias(), epilogue, out);
    return ctx.backend() == Backend.SCALAR
        ? new ScalarPlan(ctx, x, w, s, finish)
        : new PatchPlan(ctx, x, w, s, finish);
  }

  /// The number of tasks.
  long tasks();

  /// Tasks that a worker should do one after the other.
  default long grain() {
    return 1;
  }

  void run(int worker, long task);
}
