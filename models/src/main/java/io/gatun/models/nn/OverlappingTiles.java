package io.gatun.models.nn;

import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Functional;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.UnaryOperator;

/// Enlarges images or decodes latents in overlapping squares, whose results are blended where they
/// overlap: memory for one square and the whole result is enough.
///
/// What a square does not see, its neighbours and the statistics of the whole, shifts its colours a
/// little; the blending hides the seams.
public final class OverlappingTiles {
  private final Functional f;
  private final UnaryOperator<Tensor> decode;
  private final int tile;
  private final int overlap;
  private final int multiple;

  /// @param decode from a square (B, H, W, L) to what it becomes (B, factor H, factor W, C), F32
  /// @param tile the most rows and columns of a square of latents
  /// @param overlap of neighbouring squares, less than half of one
  /// @param multiple what squares' rows and columns, and where they begin, must be multiples of
  public OverlappingTiles(
      Functional f, UnaryOperator<Tensor> decode, int tile, int overlap, int multiple) {
    if (tile < 2 || overlap < 0 || 2 * overlap >= tile) {
      throw new IllegalArgumentException(
          "tiles of %d that overlap by %d; need less than half a tile".formatted(tile, overlap));
    }
    this.f = f;
    this.decode = decode;
    this.tile = tile;
    this.overlap = overlap;
    this.multiple = multiple;
  }

  /// The image (B, factor H, factor W, channels) of latents (B, H, W, L): each pixel is the mean of
  /// those that squares have for it, weighted by its distance from their edges.
  public Tensor apply(Tensor z, int factor, int channels) {
    int height = Math.toIntExact(z.dim(1));
    int width = Math.toIntExact(z.dim(2));
    var image = f.ops().empty(z.dim(0), (long) factor * height, (long) factor * width, channels);
    image.segment().fill((byte) 0);
    int[] tops = starts(height);
    int[] lefts = starts(width);
    int tileHeight = side(height);
    int tileWidth = side(width);
    float[] rowSums = sums(tops, tileHeight * factor, height * factor, factor);
    float[] columnSums = sums(lefts, tileWidth * factor, width * factor, factor);
    for (int top : tops) {
      for (int left : lefts) {
        try (var _ = f.scope()) {
          var part = z.slice(1, top, top + tileHeight).slice(2, left, left + tileWidth);
          var square = decode.apply(part);
          add(image, square, top * factor, left * factor, factor, rowSums, columnSums);
        }
      }
    }
    return image;
  }

  /// As few squares as reach from one end of a side to the other.
  private int count(int size) {
    return size <= tile ? 1 : Math.ceilDiv(size - overlap, tile - overlap);
  }

  /// The rows or columns of a square: no more than so many need.
  private int side(int size) {
    int count = count(size);
    return Math.ceilDiv(size + (count - 1) * overlap, count * multiple) * multiple;
  }

  /// Where squares begin along a side, evenly spread.
  private int[] starts(int size) {
    var starts = new int[count(size)];
    for (int i = 1; i < starts.length; i++) {
      starts[i] =
          (int) ((long) (size - side(size)) * i / (starts.length - 1)) / multiple * multiple;
    }
    return starts;
  }

  /// The weights that the squares along a side give to each pixel, summed.
  private float[] sums(int[] starts, int side, int size, int factor) {
    var sums = new float[size];
    for (int start : starts) {
      for (int i = 0; i < side; i++) {
        sums[start * factor + i] += weight(i, side, factor);
      }
    }
    return sums;
  }

  /// The weight of a pixel: it rises from the edge over the overlap.
  private float weight(int i, int side, int factor) {
    int ramp = Math.max(1, overlap * factor);
    return Math.min(1, (Math.min(i, side - 1 - i) + 0.5f) / ramp);
  }

  private void add(
      Tensor image,
      Tensor square,
      int top,
      int left,
      int factor,
      float[] rowSums,
      float[] columnSums) {
    int height = Math.toIntExact(square.dim(1));
    int width = Math.toIntExact(square.dim(2));
    int channels = Math.toIntExact(square.dim(3));
    MemorySegment from = square.segment();
    MemorySegment to = image.segment();
    f.ops()
        .workers()
        .forEach(
            square.dim(0) * height,
            8,
            (worker, begin, end) -> {
              for (long r = begin; r < end; r++) {
                int y = (int) (r % height);
                float rowWeight = weight(y, height, factor) / rowSums[top + y];
                long at = r * width * channels;
                long toRow =
                    (r / height * image.stride(0))
                        + (top + y) * image.stride(1)
                        + (long) left * channels;
                for (int x = 0; x < width; x++) {
                  float w = rowWeight * weight(x, width, factor) / columnSums[left + x];
                  for (int c = 0; c < channels; c++) {
                    long i = (long) x * channels + c;
                    float sum =
                        to.getAtIndex(ValueLayout.JAVA_FLOAT, toRow + i)
                            + w * from.getAtIndex(ValueLayout.JAVA_FLOAT, at + i);
                    to.setAtIndex(ValueLayout.JAVA_FLOAT, toRow + i, sum);
                  }
                }
              }
            });
  }
}
