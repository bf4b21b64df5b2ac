package io.gatun.models.image;

import io.gatun.tensor.runtime.Workers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// Resizing in Pillow's arithmetic, to the bit: rows first, then columns, weights with 22 bits
/// after the point, and 8 bits kept between the two passes.
///
/// Source: Pillow's `Resample.c`; torchvision's `resize` of a PIL image calls it.
final class Resample {
  private static final int PRECISION_BITS = 32 - 8 - 2;
  private static final int HALF = 1 << (PRECISION_BITS - 1);

  /// The pixels that make each new pixel along one side, and their weights.
  ///
  /// @param taps the most pixels that make one
  /// @param first (n) the first of them
  /// @param count (n) how many they are
  /// @param weights (n, taps) fixed-point
  private record Weights(int taps, int[] first, int[] count, int[] weights) {
    static Weights of(int from, int to, Filter filter) {
      double scale = (double) from / to;
      double stretch = Math.max(scale, 1);
      double support = filter.support * stretch;
      int taps = (int) Math.ceil(support) * 2 + 1;
      var first = new int[to];
      var count = new int[to];
      var weights = new int[Math.multiplyExact(to, taps)];
      var w = new double[taps];
      double inverse = 1 / stretch;
      for (int i = 0; i < to; i++) {
        double center = (i + 0.5) * scale;
        int begin = Math.max(0, (int) (center - support + 0.5));
        int n = Math.min(from, (int) (center + support + 0.5)) - begin;
        double sum = 0;
        for (int t = 0; t < n; t++) {
          w[t] = filter.weight((t + begin - center + 0.5) * inverse);
          sum += w[t];
        }
        for (int t = 0; t < n; t++) {
          double fixed = (sum != 0 ? w[t] / sum : w[t]) * (1 << PRECISION_BITS);
          weights[i * taps + t] = (int) (fixed < 0 ? fixed - 0.5 : fixed + 0.5);
        }
        first[i] = begin;
        count[i] = n;
      }
      return new Weights(taps, first, count, weights);
    }
  }

  private Resample() {}

  /// Pixels (height, width, channels) of 8 bits in another size.
  ///
  /// @param workers who shares the work, or null for the calling thread alone
  static MemorySegment run(
      MemorySegment pixels,
      int width,
      int height,
      int channels,
      int newWidth,
      int newHeight,
      Filter filter,
      Workers workers) {
    var out = Image.allocate(newWidth, newHeight, channels);
    try (var arena = Arena.ofShared()) {
      MemorySegment narrow = pixels;
      if (newWidth != width) {
        boolean last = newHeight == height;
        narrow = last ? out : arena.allocate((long) height * newWidth * channels, 64);
        var target = narrow;
        var weights = Weights.of(width, newWidth, filter);
        share(
            workers,
            height,
            (from, to) -> rows(pixels, width, target, newWidth, channels, weights, from, to));
      }
      var source = narrow;
      if (newHeight != height) {
        var weights = Weights.of(height, newHeight, filter);
        share(
            workers,
            newHeight,
            (from, to) -> columns(source, out, newWidth * channels, weights, from, to));
      } else if (newWidth == width) {
        out.copyFrom(pixels);
      }
    }
    return out;
  }

  @FunctionalInterface
  private interface Rows {
    void run(int from, int to);
  }

  private static void share(Workers workers, int rows, Rows task) {
    if (workers == null) {
      task.run(0, rows);
    } else {
      workers.forEach(rows, 8, (_, from, to) -> task.run((int) from, (int) to));
    }
  }

  private static void rows(
      MemorySegment in,
      int width,
      MemorySegment out,
      int newWidth,
      int channels,
      Weights weights,
      int from,
      int to) {
    var source = new byte[width * channels];
    var target = new byte[newWidth * channels];
    for (int y = from; y < to; y++) {
      MemorySegment.copy(
          in, ValueLayout.JAVA_BYTE, (long) y * source.length, source, 0, source.length);
      if (channels == 3) {
        rowOfThree(source, target, newWidth, weights);
      } else {
        for (int c = 0; c < channels; c++) {
          rowOfOne(source, target, newWidth, channels, c, weights);
        }
      }
      MemorySegment.copy(
          target, 0, out, ValueLayout.JAVA_BYTE, (long) y * target.length, target.length);
    }
  }

  private static void rowOfThree(byte[] source, byte[] target, int newWidth, Weights w) {
    for (int x = 0; x < newWidth; x++) {
      int r = HALF;
      int g = HALF;
      int b = HALF;
      int at = w.first[x] * 3;
      int k = x * w.taps;
      for (int end = k + w.count[x]; k < end; k++, at += 3) {
        int weight = w.weights[k];
        r += (source[at] & 0xFF) * weight;
        g += (source[at + 1] & 0xFF) * weight;
        b += (source[at + 2] & 0xFF) * weight;
      }
      target[3 * x] = clip(r);
      target[3 * x + 1] = clip(g);
      target[3 * x + 2] = clip(b);
    }
  }

  private static void rowOfOne(
      byte[] source, byte[] target, int newWidth, int channels, int channel, Weights w) {
    for (int x = 0; x < newWidth; x++) {
      int sum = HALF;
      int at = w.first[x] * channels + channel;
      int k = x * w.taps;
      for (int end = k + w.count[x]; k < end; k++, at += channels) {
        sum += (source[at] & 0xFF) * w.weights[k];
      }
      target[x * channels + channel] = clip(sum);
    }
  }

  private static void columns(
      MemorySegment in, MemorySegment out, int rowBytes, Weights w, int from, int to) {
    var source = new byte[rowBytes];
    var sums = new int[rowBytes];
    for (int y = from; y < to; y++) {
      Arrays.fill(sums, HALF);
      for (int t = 0; t < w.count[y]; t++) {
        int weight = w.weights[y * w.taps + t];
        MemorySegment.copy(
            in, ValueLayout.JAVA_BYTE, (long) (w.first[y] + t) * rowBytes, source, 0, rowBytes);
        for (int i = 0; i < rowBytes; i++) {
          sums[i] += (source[i] & 0xFF) * weight;
        }
      }
      for (int i = 0; i < rowBytes; i++) {
        source[i] = clip(sums[i]);
      }
      MemorySegment.copy(source, 0, out, ValueLayout.JAVA_BYTE, (long) y * rowBytes, rowBytes);
    }
  }

  private static byte clip(int fixed) {
    return (byte) Math.clamp(fixed >> PRECISION_BITS, 0, 255);
  }
}
