package io.gatun.tensor.ops.conv;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.Gemm;
import io.gatun.tensor.ops.rows.F32Epilogue;
import java.lang.foreign.MemorySegment;

/// Convolution as a matrix product that gathers its left operand as it goes: the pixels under the
/// kernels of a block of output pixels, some of the kernel's taps at a time, so that they fit the
/// second cache. There is never a matrix of all patches.
final class PatchPlan implements ConvPlan {
  /// Output pixels of a block.
  private static final int PIXELS = 128;

  /// Columns of the gathered rows, about.
  private static final int DEPTH = 1024;

  /// Output channels are split into multiples of so many where pixels alone are too few tasks.
  private static final int CHANNELS = 64;

  /// Tasks that there should be at least, for many threads.
  private static final int TASKS = 32;

  private final Context ctx;
  private final DType.Plain dtype;
  private final MemorySegment x;
  private final MemorySegment weights;
  private final ConvShape s;
  private final F32Epilogue epilogue;

  private final int blocks;
  private final int channelsPerTask;
  private final int tapsAtOnce;
  private final MemorySegment scratch;
  private final long scratchBytes;

  PatchPlan(Context ctx, Tensor x, ConvForms w, ConvShape s, F32Epilogue epilogue) {
    this.ctx = ctx;
    this.dtype = ctx.dtype();
    this.x = x.segment();
    this.weights = w.byTaps();
    this.s = s;
    this.epilogue = epilogue;
    blocks = Math.ceilDiv(s.outPixels(), PIXELS);
    // Whatever the number of threads, for products may sum up in another order for other sizes.
    int parts = Math.ceilDiv(TASKS, s.batch() * blocks);
    int units = Math.ceilDiv(s.outChannels(), CHANNELS);
    channelsPerTask = Math.min(s.outChannels(), Math.ceilDiv(units, parts) * CHANNELS);
    tapsAtOnce = Math.clamp(DEPTH / s.channels(), 1, s.taps());
    scratchBytes = 4L * PIXELS * ((long) tapsAtOnce * s.channels() + channelsPerTask);
    scratch = ctx.perWorker(scratchBytes);
  }

  private int parts() {
    return Math.ceilDiv(s.outChannels(), channelsPerTask);
  }

  @Override
  public long tasks() {
    return (long) s.batch() * blocks * parts();
  }

  @Override
  public void run(int worker, long task) {
    int block = (int) (task / parts() % blocks);
    block(worker, (int) (task / parts() / blocks), block, (int) (task % parts()));
  }

  private void block(int worker, int image, int block, int part) {
    int first = block * PIXELS;
    int count = Math.min(PIXELS, s.outPixels() - first);
    int channel = part * channelsPerTask;
    int n = Math.min(channelsPerTask, s.outChannels() - channel);
    long patches = worker * scratchBytes;
    long sums = patches + 4L * PIXELS * tapsAtOnce * s.channels();
    for (int tap = 0; tap < s.taps(); tap += tapsAtOnce) {
      int taps = Math.min(tapsAtOnce, s.taps() - tap);
      int depth = taps * s.channels();
      for (int i = 0; i < count; i++) {
        gather(image, first + i, tap, taps, patches + 4L * i * depth);
      }
      Gemm.multiply(
          ctx,
          scratch,
          patches,
          depth,
          weights,
          4L * ((long) tap * s.channels() * s.outChannels() + channel),
          s.outChannels(),
          scratch,
          sums,
          n,
          count,
          n,
          depth,
          tap > 0);
    }
    long row = (long) image * s.outPixels() + first;
    epilogue.store(worker, scratch, sums, n, row, count, channel, n);
  }

  /// Writes what lies under taps `tap` .. `tap + taps` of the kernel at output pixel `pixel`.
  private void gather(int image, int pixel, int tap, int taps, long at) {
    int top = pixel / s.outWidth() * s.stride() - s.padding().top();
    int left = pixel % s.outWidth() * s.stride() - s.padding().left();
    long to = at;
    for (int i = tap; i < tap + taps; ) {
      int y = i / s.kernelWidth();
      int from = i % s.kernelWidth();
      int until = Math.min(s.kernelWidth(), from + tap + taps - i);
      // A row of the kernel lies over a row of the image, but for what is beyond its edges.
      boolean inside = top + y >= 0 && top + y < s.height();
      int lo = inside ? Math.clamp(-left, from, until) : until;
      int hi = inside ? Math.clamp(s.width() - left, lo, until) : until;
      zero(to, lo - from);
      long source = ((long) image * s.height() + top + y) * s.width() + left + lo;
      copy(source, hi - lo, to + 4L * (lo - from) * s.channels());
      zero(to + 4L * (hi - from) * s.channels(), until - hi);
      to += 4L * (until - from) * s.channels();
      i += until - from;
    }
  }

  private void zero(long at, int pixels) {
    if (pixels > 0) {
      scratch.asSlice(at, 4L * pixels * s.channels()).fill((byte) 0);
    }
  }

  private void copy(long source, int pixels, long at) {
    if (pixels > 0) {
      long from = source * s.channels() * dtype.blockBytes();
      Unpack.toFloat(dtype, x, from, scratch, at, (long) pixels * s.channels());
    }
  }
}
