package io.gatun.models;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.esrgan.EsrganNames;
import io.gatun.models.esrgan.RRDBNet;
import io.gatun.models.image.Image;
import io.gatun.models.nn.OverlappingTiles;
import io.gatun.models.nn.UsedTensors;
import io.gatun.models.nn.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.regex.Pattern;

/// Enlarges images with ESRGAN or Real-ESRGAN, ready to use.
///
/// ```java
/// try (var upscaler = Upscaler.load(Path.of("RealESRGAN_x4plus.pth"))) {
///   upscaler.upscale(Image.read(Path.of("small.png"))).write(Path.of("large.png"));
/// }
/// ```
///
/// One thread at a time may use it.
public final class Upscaler implements AutoCloseable {
  /// Pixels a side of the squares that images are cut into unless said otherwise.
  public static final int TILE = 192;

  /// Seams vanish with less than the network sees around a pixel.
  private static final int OVERLAP = 16;

  private static final long MOST_PIXELS = 1L << 26;
  private static final int RGB = 3;
  private static final Pattern NOTHING = Pattern.compile("(?!)");

  private final Checkpoint checkpoint;
  private final Ops ops;
  private final Functional f;
  private final RRDBNet network;

  private Upscaler(Checkpoint checkpoint, Ops ops, DType.Plain dtype) {
    this.checkpoint = checkpoint;
    this.ops = ops;
    f = new Functional(ops, dtype);
    var tensors = new UsedTensors(checkpoint);
    network = new RRDBNet(Weights.of(tensors, EsrganNames.of(tensors)));
    tensors.requireAllUsed(NOTHING);
  }

  /// Loads a network with the fastest kernels and types.
  ///
  /// @throws CheckpointException if the file holds none that Gatun can run
  public static Upscaler load(Path file) {
    return load(file, Backend.NATIVE, Workers.defaultThreads(), null);
  }

  /// Loads a network.
  ///
  /// @param dtype the type of activations; null for the fastest
  /// @throws CheckpointException if the file holds none that Gatun can run
  public static Upscaler load(Path file, Backend backend, int threads, DType.Plain dtype) {
    var checkpoint = Checkpoint.open(file, LoadMode.MAP);
    Ops ops = null;
    try {
      ops = new Ops(backend, threads);
      return new Upscaler(checkpoint, ops, dtype == null ? Functional.fastest(backend) : dtype);
    } catch (RuntimeException | Error e) {
      if (ops != null) {
        ops.close();
      }
      checkpoint.close();
      throw e;
    }
  }

  /// How many times larger images become.
  public int factor() {
    return network.factor();
  }

  /// The image [#factor] times as large, in colours.
  public Image upscale(Image image) {
    return upscale(image, TILE);
  }

  /// As [#upscale(Image)], in overlapping squares of `tile` pixels a side, which limits the memory.
  ///
  /// @throws IllegalArgumentException if the result would be too large, or `tile` is below 64
  public Image upscale(Image image, int tile) {
    int factor = factor();
    long pixels = (long) image.width() * image.height() * factor * factor;
    if (pixels > MOST_PIXELS || tile < 64) {
      throw new IllegalArgumentException(
          "%d x %d pixels, %d times as large, in squares of %d; need %d pixels at most, and squares of 64 at least"
              .formatted(image.width(), image.height(), factor, tile, MOST_PIXELS));
    }
    int multiple = network.multiple();
    int width = Math.ceilDiv(image.width(), multiple) * multiple;
    int height = Math.ceilDiv(image.height(), multiple) * multiple;
    try (var _ = ops.owner().turn();
        var _ = f.scope()) {
      var in = f.ops().empty(1, height, width, RGB);
      fill(in, image.rgb());
      var tiles = new OverlappingTiles(f, this::enlarged, tile, OVERLAP, multiple);
      var out = tiles.apply(in, factor, RGB);
      return image(out, image.width() * factor, image.height() * factor);
    }
  }

  private Tensor enlarged(Tensor square) {
    return network.forward(f, f.toF32(f.cast(square)), (name, x) -> {});
  }

  /// An image's values 0..1, the last row and column again where there are more.
  private static void fill(Tensor to, Image image) {
    MemorySegment pixels = image.pixels();
    long at = 0;
    for (int y = 0; y < to.dim(1); y++) {
      for (int x = 0; x < to.dim(2); x++) {
        long from =
            (long) Math.min(y, image.height() - 1) * image.width() + Math.min(x, image.width() - 1);
        for (int c = 0; c < RGB; c++) {
          int value = Byte.toUnsignedInt(pixels.get(ValueLayout.JAVA_BYTE, from * RGB + c));
          to.segment().setAtIndex(ValueLayout.JAVA_FLOAT, at++, value / 255f);
        }
      }
    }
  }

  /// The first columns and rows of values 0..1.
  private static Image image(Tensor from, int width, int height) {
    var bytes = Arena.ofAuto().allocate((long) width * height * RGB);
    for (int y = 0; y < height; y++) {
      for (long i = 0; i < (long) width * RGB; i++) {
        float value = from.segment().getAtIndex(ValueLayout.JAVA_FLOAT, y * from.dim(2) * RGB + i);
        byte rounded = (byte) Math.rint(Math.clamp(value, 0, 1) * 255);
        bytes.set(ValueLayout.JAVA_BYTE, (long) y * width * RGB + i, rounded);
      }
    }
    return Image.of(width, height, RGB, bytes);
  }

  /// Ends the threads and unmaps the weights.
  @Override
  public void close() {
    ops.close();
    checkpoint.close();
  }
}
