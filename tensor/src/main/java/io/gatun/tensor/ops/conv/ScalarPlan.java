package io.gatun.tensor.ops.conv;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.scalar.ScalarConvolution;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.rows.F32Epilogue;
import java.lang.foreign.MemorySegment;

/// The reference: one output pixel after the other.
final class ScalarPlan implements ConvPlan {
  private final ConvShape s;
  private final Tensor images;
  private final MemorySegment weights;
  private final F32Epilogue epilogue;
  private final MemorySegment sums;

  ScalarPlan(Context ctx, Tensor x, ConvForms w, ConvShape s, F32Epilogue epilogue) {
    this.s = s;
    this.epilogue = epilogue;
    images = ctx.f32(x.shape().dims());
    Unpack.toFloat(x.dtype(), x.segment(), 0, images.segment(), 0, x.size());
    weights = w.f32();
    sums = ctx.perWorker(4L * s.outChannels());
  }

  @Override
  public long tasks() {
    return (long) s.batch() * s.outPixels();
  }

  @Override
  public void run(int worker, long pixel) {
    int n = s.outChannels();
    long at = 4L * n * worker;
    ScalarConvolution.pixel(
        images.segment(),
        pixel / s.outPixels() * s.height(),
        s.height(),
        s.width(),
        s.channels(),
        weights,
        s.kernelHeight(),
        s.kernelWidth(),
        (int) (pixel % s.outPixels() / s.outWidth()) * s.stride() - s.padding().top(),
        (int) (pixel % s.outWidth()) * s.stride() - s.padding().left(),
        sums,
        at,
        n);
    epilogue.store(worker, sums, at, n, pixel, 1, 0, n);
  }
}
