package io.gatun.tensor.ops.rows;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import io.gatun.tensor.ops.context.RowMap;
import java.lang.foreign.MemorySegment;

/// Layer and group normalization.
public final class Normalization {
  /// Pixels whose moments are summed in F32 before they go on in F64.
  private static final int ROWS = 128;

  private final Context ctx;
  private final Tensor x;
  private final int channels;
  private final long pixels;
  private final long blocks;
  private final MemorySegment origins;
  private final MemorySegment sums;
  private final MemorySegment scratch;
  private final int scratchRows;

  private Normalization(Context ctx, Tensor x) {
    this.ctx = ctx;
    this.x = x;
    channels = Math.toIntExact(x.dim(-1));
    pixels = x.size() / (x.dim(0) * channels);
    blocks = Math.ceilDiv(pixels, (long) ROWS);
    var workspace = ctx.workspace();
    origins = workspace.take(4 * x.dim(0) * channels);
    sums = workspace.take(8 * x.dim(0) * blocks * channels);
    scratchRows = Math.min(ROWS, rowsAtATime(channels));
    scratch = workspace.take(4L * scratchRows * channels * ctx.workers().threads());
  }

  /// Rows that are worth handing to a kernel: the first cache holds them.
  private static int rowsAtATime(int columns) {
    return Math.max(1, RowMap.CHUNK / columns);
  }

  public static Tensor layer(Context ctx, Tensor x, Tensor weight, Tensor bias, float eps) {
    Check.activations("x", x, ctx.dtype());
    int c = Math.toIntExact(x.dim(-1));
    Check.same("weight", weight.size(), "columns", c);
    Check.same("bias", bias.size(), "columns", c);
    var result = ctx.empty(x.shape().dims());
    try (var _ = ctx.scope()) {
      var w = ctx.values(weight);
      var b = ctx.values(bias);
      var kernels = ctx.networkKernels();
      int columns = c * rowsAtATime(c);
      RowMap.run(
          ctx,
          x,
          columns,
          result,
          columns,
          (worker, from, n, in, inAt, out, outAt) -> {
            for (long i = 0; i < 4L * n; i += 4L * c) {
              kernels.layerNorm(in, inAt + i, w, b, eps, c, out, outAt + i);
            }
          });
    }
    return result;
  }

  public static Tensor group(
      Context ctx,
      Tensor x,
      int groups,
      Tensor weight,
      Tensor bias,
      float eps,
      Activation activation) {
    Check.activations("x", x, ctx.dtype());
    int c = Math.toIntExact(x.dim(-1));
    Check.same("weight", weight.size(), "channels", c);
    Check.same("bias", bias.size(), "channels", c);
    if (groups < 1 || c % groups != 0) {
      throw new IllegalArgumentException(c + " channels do not make " + groups + " groups");
    }
    var result = ctx.empty(x.shape().dims());
    try (var _ = ctx.scope()) {
      var norm = new Normalization(ctx, x);
      norm.moments();
      var factors = norm.factors(groups, ctx.values(weight), ctx.values(bias), eps);
      var kernels = ctx.networkKernels();
      long image = norm.pixels * c;
      int columns = c * rowsAtATime(c);
      RowMap.run(
          ctx,
          x,
          columns,
          result,
          columns,
          (worker, from, n, in, inAt, out, outAt) -> {
            for (int i = 0; i < n; i += c) {
              long factor = 8 * ((from + i) / image) * c;
              kernels.scaleShift(in, inAt + 4L * i, factors, factor, c, out, outAt + 4L * i);
            }
            Elementwise.apply(kernels, activation, out, outAt, n, out, outAt);
          });
    }
    return result;
  }

  /// Sums over blocks of pixels, for each channel, how far the values and their squares are from
  /// those of the image's first pixel.
  private void moments() {
    var backend = ctx.backend();
    for (long b = 0; b < x.dim(0); b++) {
      RowMap.load(backend, x, b * pixels * channels, channels, origins, 4 * b * channels);
    }
    ctx.each(
        x.dim(0) * blocks,
        1,
        (worker, block) -> {
          sums.asSlice(8 * block * channels, 8L * channels).fill((byte) 0);
          block(worker, block);
        });
  }

  private void block(int worker, long block) {
    long image = block / blocks;
    long first = block % blocks * ROWS;
    int count = (int) Math.min(ROWS, pixels - first);
    long at = (image * pixels + first) * channels;
    if (x.dtype() == DType.Plain.F32) {
      addMoments(x.segment(), 4 * at, count, image, block);
      return;
    }
    long own = 4L * worker * scratchRows * channels;
    for (int row = 0; row < count; row += scratchRows) {
      int rows = Math.min(scratchRows, count - row);
      long from = at + (long) row * channels;
      RowMap.load(ctx.backend(), x, from, (long) rows * channels, scratch, own);
      addMoments(scratch, own, rows, image, block);
    }
  }

  private void addMoments(MemorySegment rows, long at, int count, long image, long block) {
    ctx.networkKernels()
        .addMoments(
            rows, at, count, origins, 4 * image * channels, channels, sums, 8 * block * channels);
  }

  /// For each image what its channels are multiplied with, and what is added to them then.
  private MemorySegment factors(int groups, MemorySegment weight, MemorySegment bias, float eps) {
    int size = channels / groups;
    var factors = ctx.workspace().take(8 * x.dim(0) * channels);
    var mean = new double[size];
    var squares = new double[size];
    for (long image = 0; image < x.dim(0); image++) {
      for (int group = 0; group < groups; group++) {
        int first = group * size;
        double groupMean = 0;
        for (int c = 0; c < size; c++) {
          mean[c] = 0;
          squares[c] = 0;
          for (long block = image * blocks; block < (image + 1) * blocks; block++) {
            long at = 8 * block * channels;
            mean[c] += Floats.get(sums, at, first + c);
            squares[c] += Floats.get(sums, at, channels + first + c);
          }
          mean[c] /= pixels;
          squares[c] -= pixels * mean[c] * mean[c];
          mean[c] += Floats.get(origins, 4 * image * channels, first + c);
          groupMean += mean[c] / size;
        }
        double sum = 0;
        for (int c = 0; c < size; c++) {
          double d = mean[c] - groupMean;
          sum += squares[c] + pixels * d * d;
        }
        double r = 1 / Math.sqrt(sum / (pixels * size) + eps);
        for (int c = first; c < first + size; c++) {
          double factor = r * Floats.get(weight, 0, c);
          long at = 8 * image * channels;
          Floats.set(factors, at, c, (float) factor);
          double term = Floats.get(bias, 0, c) - groupMean * factor;
          Floats.set(factors, at, channels + c, (float) term);
        }
      }
    }
    return factors;
  }
}
