package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

/// The operations that move pixels.
class ImagesTest {
  private final FunctionalFixture fixture = new FunctionalFixture();

  @Test
  void windowsHoldTheirPixelsAndTheFill() {
    for (var dtype : FunctionalFixture.TYPES) {
      var x = fixture.random(dtype, 2, 5, 7, 3);
      var fill = fixture.random(dtype, 3);
      try (var ops = new Ops(Backend.NATIVE, 2)) {
        var f = new Functional(ops, dtype);
        var windows = f.windowPartition(x, 4, fill);
        var zeros = f.windowPartition(x, 4, null);
        assertArrayEquals(new long[] {8, 16, 3}, windows.shape().dims());
        for (int w = 0; w < 8; w++) {
          for (int cell = 0; cell < 16; cell++) {
            int row = w / 2 % 2 * 4 + cell / 4;
            int column = w % 2 * 4 + cell % 4;
            for (int c = 0; c < 3; c++) {
              boolean inside = row < 5 && column < 7;
              float pixel = inside ? x.getFloat(w / 4, row, column, c) : 0;
              assertEquals(inside ? pixel : fill.getFloat(c), windows.getFloat(w, cell, c));
              assertEquals(pixel, zeros.getFloat(w, cell, c));
            }
          }
        }
        assertArrayEquals(x.toFloats(), f.windowUnpartition(windows, 4, 2, 5, 7).toFloats());
        assertThrows(
            IllegalArgumentException.class, () -> f.windowUnpartition(windows, 4, 2, 5, 9));
      }
    }
  }

  @Test
  void upsamplingRepeatsPixels() {
    for (var dtype : FunctionalFixture.TYPES) {
      var x = fixture.random(dtype, 2, 3, 5, 7);
      try (var ops = new Ops(Backend.NATIVE, 2)) {
        var y = new Functional(ops, dtype).upsampleNearest2x(x);
        assertArrayEquals(new long[] {2, 6, 10, 7}, y.shape().dims());
        for (int i = 0; i < y.size(); i++) {
          int c = i % 7;
          int column = i / 7 % 10;
          int row = i / 70 % 6;
          assertEquals(
              x.getFloat(i / 420, row / 2, column / 2, c), y.getFloat(i / 420, row, column, c));
        }
      }
    }
  }

  @Test
  void resizingInterpolates() {
    for (int[] size : new int[][] {{5, 7}, {10, 14}, {3, 2}, {1, 1}, {9, 20}}) {
      var x = fixture.random(DType.Plain.F32, 2, 5, 7, 3);
      fixture.agree(
          size[0] + " x " + size[1],
          f -> f.resizeBilinear(fixture.as(f.dtype(), x), size[0], size[1]));
      float[] found =
          fixture.result(
              Backend.SCALAR, DType.Plain.F32, f -> f.resizeBilinear(x, size[0], size[1]));
      for (int i = 0; i < found.length; i++) {
        int c = i % 3;
        double column = clamp((i / 3 % size[1] + 0.5) * 7 / size[1] - 0.5, 6);
        double row = clamp((i / 3 / size[1] % size[0] + 0.5) * 5 / size[0] - 0.5, 4);
        double sum = 0;
        for (int m = 0; m < 5; m++) {
          for (int n = 0; n < 7; n++) {
            double weight =
                Math.max(0, 1 - Math.abs(row - m)) * Math.max(0, 1 - Math.abs(column - n));
            sum += weight * x.getFloat(i / 3 / size[1] / size[0], m, n, c);
          }
        }
        assertEquals(sum, found[i], 1e-5);
      }
    }
  }

  /// An odd last row and column belong to no pool.
  @Test
  void poolsKeepTheirLargest() {
    for (var dtype : FunctionalFixture.TYPES) {
      var x = fixture.random(dtype, 2, 5, 7, 3);
      try (var ops = new Ops(Backend.NATIVE, 2)) {
        var y = new Functional(ops, dtype).maxPool2x2(x);
        assertArrayEquals(new long[] {2, 2, 3, 3}, y.shape().dims());
        for (int i = 0; i < y.size(); i++) {
          int c = i % 3;
          int column = i / 3 % 3;
          int row = i / 9 % 2;
          float largest = Float.NEGATIVE_INFINITY;
          for (int p = 0; p < 4; p++) {
            largest = Math.max(largest, x.getFloat(i / 18, 2 * row + p / 2, 2 * column + p % 2, c));
          }
          assertEquals(largest, y.getFloat(i / 18, row, column, c));
        }
      }
    }
  }

  /// Each channel as a convolution of that channel alone.
  @Test
  void depthwiseConvolutionsAreThoseOfEachChannel() {
    int channels = 5;
    for (int stride : new int[] {1, 2}) {
      for (int kernel : new int[] {3, 7}) {
        var x = fixture.random(DType.Plain.F32, 2, 9, 6, channels);
        var w = fixture.random(DType.Plain.F32, channels, 1, kernel, kernel);
        var bias = fixture.random(DType.Plain.F32, channels);
        var padding = ConvWeight.Padding.of(kernel / 2);
        var conv = ConvWeight.of(w, bias, stride, padding);
        fixture.agree("depthwise", f -> f.depthwiseConv2d(fixture.as(f.dtype(), x), conv));
        try (var ops = new Ops(Backend.SCALAR, 1)) {
          var f = new Functional(ops, DType.Plain.F32);
          var all = f.depthwiseConv2d(x, conv);
          for (int c = 0; c < channels; c++) {
            var one = ConvWeight.of(w.slice(0, c, c + 1), bias.slice(0, c, c + 1), stride, padding);
            assertArrayEquals(
                f.conv2d(f.cast(x.slice(3, c, c + 1)), one).toFloats(),
                f.cast(all.slice(3, c, c + 1)).toFloats(),
                1e-5f);
          }
        }
      }
    }
  }

  /// Weights are put in order once, not in each call.
  @Test
  void depthwiseConvolutionsKeepTheirWeights() {
    int channels = 256;
    var x = fixture.random(DType.Plain.F32, 1, 7, 1, channels);
    var conv = ConvWeight.same(fixture.random(DType.Plain.F32, channels, 1, 7, 7), null);
    try (var ops = new Ops(Backend.SCALAR, 1)) {
      var f = new Functional(ops, DType.Plain.F32);
      var first = f.depthwiseConv2d(x, conv).toFloats();
      var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
      long before = threads.getCurrentThreadAllocatedBytes();
      var second = f.depthwiseConv2d(x, conv);
      long allocated = threads.getCurrentThreadAllocatedBytes() - before;
      assertTrue(allocated < 4L * channels * 49, allocated + " bytes");
      assertArrayEquals(first, second.toFloats());
    }
  }

  private static double clamp(double position, double last) {
    return Math.min(last, Math.max(0, position));
  }
}
