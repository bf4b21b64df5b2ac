package io.gatun.tensor.ops.rows;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.dense.Bilinear;
import io.gatun.tensor.ops.context.Check;
import io.gatun.tensor.ops.context.Context;
import java.lang.foreign.MemorySegment;

/// Operations that move the pixels of NHWC images and do little or nothing with them; the same on
/// every backend.
public final class Images {
  private Images() {}

  public static Tensor windowPartition(Context ctx, Tensor x, int size, Tensor fill) {
    Check.activations("x", x, ctx.dtype());
    Check.rank("x", x, 4);
    var windows = new Windows(x.dim(1), x.dim(2), x.dim(3) * ctx.dtype().blockBytes(), size);
    var out = ctx.empty(x.dim(0) * windows.count(), (long) size * size, x.dim(3));
    try (var _ = ctx.scope()) {
      var padding = padding(ctx, x.dim(3), size, fill);
      ctx.each(
          x.dim(0) * windows.down * size,
          1,
          (worker, row) -> windows.partitionRow(x.segment(), out.segment(), padding, row));
    }
    return out;
  }

  public static Tensor windowUnpartition(
      Context ctx, Tensor x, int size, long batch, long height, long width) {
    Check.activations("windows", x, ctx.dtype());
    Check.rank("windows", x, 3);
    var windows = new Windows(height, width, x.dim(2) * ctx.dtype().blockBytes(), size);
    Check.same("windows", x.dim(0), "windows of the images", batch * windows.count());
    Check.same("cells of a window", x.dim(1), "size * size", (long) size * size);
    var out = ctx.empty(batch, height, width, x.dim(2));
    ctx.each(
        batch * height,
        1,
        (worker, row) -> windows.unpartitionRow(x.segment(), out.segment(), row));
    return out;
  }

  /// The patches of size x size of x (B, H, W, C): (B, down * across, size * size * C); what is
  /// left at the bottom and right belongs to none.
  public static Tensor patches(Context ctx, Tensor x, int down, int across, int size) {
    long width = x.dim(2);
    long pixel = x.dim(3) * ctx.dtype().blockBytes();
    var out = ctx.empty(x.dim(0), (long) down * across, size * size * x.dim(3));
    ctx.each(
        x.dim(0) * down,
        1,
        (worker, row) -> {
          long first = (row / down * x.dim(1) + row % down * size) * width;
          for (int i = 0; i < across * size; i++) {
            // Row i % size of patch i / size.
            long source = (first + i % size * width + (long) i / size * size) * pixel;
            long target = (row * across * size + i) * size * pixel;
            MemorySegment.copy(x.segment(), source, out.segment(), target, size * pixel);
          }
        });
    return out;
  }

  /// A row of `size` pixels of padding.
  private static MemorySegment padding(Context ctx, long channels, int size, Tensor fill) {
    long pixel = channels * ctx.dtype().blockBytes();
    var padding = ctx.workspace().take(size * pixel);
    if (fill == null) {
      return padding.fill((byte) 0);
    }
    Check.activations("fill", fill, ctx.dtype());
    Check.same("fill", fill.size(), "channels", channels);
    for (int i = 0; i < size; i++) {
      MemorySegment.copy(fill.segment(), 0, padding, i * pixel, pixel);
    }
    return padding;
  }

  /// Where the windows of an image lie.
  private static final class Windows {
    private final long height;
    private final long width;
    private final long pixel;
    private final int size;
    private final long down;
    private final long across;

    /// @param pixel the bytes of a pixel
    private Windows(long height, long width, long pixel, int size) {
      this.height = height;
      this.width = width;
      this.pixel = pixel;
      this.size = size;
      down = Math.ceilDiv(height, (long) size);
      across = Math.ceilDiv(width, (long) size);
    }

    /// The windows of one image.
    private long count() {
      return down * across;
    }

    /// The byte in the windows of the first pixel of column `column` of windows, in row `y` of
    /// image `image`.
    private long at(long image, long y, long column) {
      long window = (image * down + y / size) * across + column;
      return (window * size + y % size) * size * pixel;
    }

    /// @param row counts the rows of all images with their padding
    private void partitionRow(MemorySegment x, MemorySegment out, MemorySegment padding, long row) {
      long image = row / (down * size);
      long y = row % (down * size);
      for (long column = 0; column < across; column++) {
        long to = at(image, y, column);
        long inside = y < height ? Math.min(size, width - column * size) : 0;
        long from = ((image * height + y) * width + column * size) * pixel;
        if (inside > 0) {
          MemorySegment.copy(x, from, out, to, inside * pixel);
        }
        MemorySegment.copy(padding, 0, out, to + inside * pixel, (size - inside) * pixel);
      }
    }

    /// @param row counts the rows of all images
    private void unpartitionRow(MemorySegment x, MemorySegment out, long row) {
      for (long column = 0; column < across; column++) {
        long inside = Math.min(size, width - column * size);
        MemorySegment.copy(
            x,
            at(row / height, row % height, column),
            out,
            (row * width + column * size) * pixel,
            inside * pixel);
      }
    }
  }

  public static Tensor upsampleNearest2x(Context ctx, Tensor x) {
    Check.activations("x", x, ctx.dtype());
    Check.rank("x", x, 4);
    long width = x.dim(2);
    long pixel = x.dim(3) * ctx.dtype().blockBytes();
    var out = ctx.empty(x.dim(0), 2 * x.dim(1), 2 * width, x.dim(3));
    long rowBytes = 2 * width * pixel;
    ctx.each(
        x.dim(0) * x.dim(1),
        1,
        (worker, row) -> {
          long first = 2 * row * rowBytes;
          for (long i = 0; i < width; i++) {
            long source = (row * width + i) * pixel;
            long target = first + 2 * i * pixel;
            MemorySegment.copy(x.segment(), source, out.segment(), target, pixel);
            MemorySegment.copy(x.segment(), source, out.segment(), target + pixel, pixel);
          }
          MemorySegment.copy(out.segment(), first, out.segment(), first + rowBytes, rowBytes);
        });
    return out;
  }

  public static Tensor maxPool2x2(Context ctx, Tensor x) {
    Check.activations("x", x, ctx.dtype());
    Check.rank("x", x, 4);
    int height = Math.toIntExact(x.dim(1) / 2);
    int width = Math.toIntExact(x.dim(2) / 2);
    int channels = Math.toIntExact(x.dim(3));
    var out = ctx.empty(x.dim(0), height, width, channels);
    ctx.forEach(
        x.dim(0) * height,
        1,
        (_, from, to) -> {
          var pixels = new FloatRow(ctx.dtype(), 2 * width * channels);
          var larger = new float[2 * width * channels];
          var pooled = new float[width * channels];
          for (long row = from; row < to; row++) {
            long upper = (row / height * x.dim(1) + row % height * 2) * x.dim(2) * channels;
            pixels.read(x.segment(), upper, larger);
            float[] lower = pixels.read(x.segment(), upper + x.dim(2) * channels);
            for (int i = 0; i < larger.length; i++) {
              larger[i] = Math.max(larger[i], lower[i]);
            }
            for (int i = 0; i < width; i++) {
              for (int c = 0; c < channels; c++) {
                pooled[i * channels + c] =
                    Math.max(larger[2 * i * channels + c], larger[(2 * i + 1) * channels + c]);
              }
            }
            pixels.write(pooled, out.segment(), row * width * channels);
          }
        });
    return out;
  }

  public static Tensor resizeBilinear(Context ctx, Tensor x, int height, int width) {
    Check.activations("x", x, ctx.dtype());
    Check.rank("x", x, 4);
    int channels = Math.toIntExact(x.dim(3));
    int fromHeight = Math.toIntExact(x.dim(1));
    int fromWidth = Math.toIntExact(x.dim(2));
    if (x.size() == 0 || height < 1 || width < 1) {
      throw new IllegalArgumentException(
          "cannot resize %s to %d x %d pixels: both need pixels"
              .formatted(x.shape(), height, width));
    }
    var out = ctx.empty(x.dim(0), height, width, channels);
    boolean bf16 = ctx.dtype() == DType.Plain.BF16;
    long size = ctx.dtype().blockBytes();
    ctx.each(
        x.dim(0) * height,
        1,
        (worker, row) ->
            Bilinear.row(
                bf16,
                x.segment(),
                row / height * fromHeight * fromWidth * channels * size,
                fromHeight,
                fromWidth,
                channels,
                out.segment(),
                row * width * channels * size,
                (int) (row % height),
                height,
                width));
    return out;
  }
}
