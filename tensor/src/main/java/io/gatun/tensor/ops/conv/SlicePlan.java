package io.gatun.tensor.ops.conv;

import io.gatun.ffm.OneDnn;
import io.gatun.ffm.Operands;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.context.Context;
import java.lang.foreign.MemorySegment;

/// Convolution through oneDNN, whole images and a slice of the output channels at a time, whose
/// weights stay in the second cache from one image to the next.
final class SlicePlan implements ConvPlan {
  /// Output channels in a slice.
  static final int CHANNELS = 32;

  private final ConvShape s;
  private final MemorySegment x;
  private final Epilogue epilogue;
  private final Tensor out;
  private final long bytes;
  private final MemorySegment bias;
  private final BandPlan.Call call;
  private final MemorySegment scratch;

  SlicePlan(Context ctx, Tensor x, ConvForms w, ConvShape s, Epilogue epilogue, Tensor out) {
    this.s = s;
    this.x = x.segment();
    this.epilogue = epilogue;
    this.out = out;
    bytes = ctx.elementType().bytes();
    bias = w.bias();
    scratch = ctx.perWorker(scratchBytes());
    var image = new BandPlan.Band(s.height(), s.padding().top(), s.padding().bottom());
    // What a slice is added to is copied to where its result goes.
    call = BandPlan.Call.of(ctx, w, s, image, CHANNELS, epilogue, epilogue.residual());
  }

  private long scratchBytes() {
    return s.outPixels() * CHANNELS * bytes + 63 & -64;
  }

  @Override
  public long tasks() {
    return (long) s.outChannels() / CHANNELS * s.batch();
  }

  @Override
  public long grain() {
    return s.batch();
  }

  /// One image's channels of one slice, through scratch memory without gaps between the pixels.
  @Override
  public void run(int worker, long task) {
    long image = task % s.batch();
    long slice = task / s.batch();
    long first = slice * CHANNELS;
    long source = image * s.height() * s.width() * s.channels() * bytes;
    var target = scratch.asSlice(worker * scratchBytes(), scratchBytes());
    long result = (image * s.outPixels() * s.outChannels() + first) * bytes;
    if (epilogue.residual() != null) {
      var residual = epilogue.residual().segment();
      copyPixels(residual, result, s.outChannels(), target, 0, CHANNELS);
    }
    var operands = Operands.bias(bias == null ? null : bias.asSlice(4 * first));
    var columns = epilogue.columns();
    if (columns != null) {
      long column = (image * columns.dim(1) + first) * bytes;
      operands = operands.withPostOps(columns.segment().asSlice(column));
    }
    OneDnn.convolution(
        call.spec(),
        x.asSlice(source),
        call.weights().asSlice(slice * call.spec().layout().byteSize()),
        target,
        operands);
    copyPixels(target, 0, CHANNELS, out.segment(), result, s.outChannels());
  }

  /// Copies a slice's channels of each pixel of an image.
  ///
  /// @param distance elements from a pixel to the next
  private void copyPixels(
      MemorySegment from, long at, int distance, MemorySegment to, long toAt, int toDistance) {
    for (long pixel = 0; pixel < s.outPixels(); pixel++) {
      long source = at + pixel * distance * bytes;
      long target = toAt + pixel * toDistance * bytes;
      MemorySegment.copy(from, source, to, target, CHANNELS * bytes);
    }
  }
}
