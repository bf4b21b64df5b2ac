package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gatun.tensor.DType;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.ConvWeight;
import io.gatun.tensor.ops.ConvWeight.Padding;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.Ops;
import java.util.ArrayList;
import org.junit.jupiter.api.Test;

/// Convolutions give on every backend and in both types what the definition gives.
class ConvolutionTest {
  private final FunctionalFixture fixture = new FunctionalFixture();

  @Test
  void scalarConvolutionIsTheDefinition() {
    var x = fixture.random(DType.Plain.F32, 2, 5, 6, 3);
    var weight = fixture.random(DType.Plain.F32, 4, 3, 3, 2);
    var bias = fixture.random(DType.Plain.F32, 4);
    var padding = new Padding(1, 0, 2, 1);
    float[] found =
        fixture.result(
            Backend.SCALAR,
            DType.Plain.F32,
            f -> f.conv2d(x, ConvWeight.of(weight, bias, 2, padding)));
    var expected = new float[2 * 3 * 3 * 4];
    for (int at = 0; at < expected.length; at++) {
      int o = at % 4;
      int left = at / 4 % 3 * 2;
      int top = at / 12 % 3 * 2 - 1;
      double sum = bias.getFloat(o);
      for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 2; j++) {
          for (int c = 0; c < 3; c++) {
            boolean inside = top + i >= 0 && top + i < 5 && left + j < 6;
            sum +=
                inside
                    ? weight.getFloat(o, c, i, j) * x.getFloat(at / 36, top + i, left + j, c)
                    : 0;
          }
        }
      }
      expected[at] = (float) sum;
    }
    FunctionalFixture.compare(expected, found, 1e-6, "definition");
  }

  @Test
  void kernelsStridesAndPaddings() {
    check(1, 7, 9, 3, 5, 3, 1, Padding.of(1));
    check(2, 33, 17, 32, 48, 3, 1, Padding.of(1));
    check(2, 13, 11, 40, 33, 3, 2, Padding.of(1));
    check(1, 12, 10, 16, 32, 3, 2, new Padding(0, 0, 1, 1));
    check(1, 48, 32, 3, 31, 16, 16, Padding.of(0));
    check(2, 9, 8, 64, 70, 1, 1, Padding.of(0));
    check(2, 9, 8, 24, 20, 2, 2, Padding.of(0));
    check(2, 9, 8, 24, 20, 1, 2, Padding.of(0));
    check(1, 20, 20, 4, 32, 3, 1, Padding.of(1));
    check(1, 20, 20, 32, 3, 3, 1, Padding.of(1));
    check(3, 1, 1, 8, 8, 3, 1, Padding.of(1));
    check(1, 8, 8, 1200, 130, 3, 1, Padding.of(1));
  }

  private void check(
      int batch,
      int height,
      int width,
      int channels,
      int outChannels,
      int kernel,
      int stride,
      Padding padding) {
    var x = fixture.random(DType.Plain.F32, batch, height, width, channels);
    var weight = fixture.random(DType.Plain.F32, outChannels, channels, kernel, kernel);
    var bias = fixture.random(DType.Plain.F32, outChannels);
    fixture.agree(
        "%s * %s / %d %s: ".formatted(x.shape(), weight.shape(), stride, padding),
        f -> f.conv2d(fixture.as(f.dtype(), x), ConvWeight.of(weight, bias, stride, padding)));
  }

  @Test
  void weightsOfEveryPlainType() {
    var x = fixture.random(DType.Plain.F32, 1, 9, 9, 17);
    var weight = fixture.random(DType.Plain.F32, 40, 17, 3, 3);
    for (var type : new DType.Plain[] {DType.Plain.BF16, DType.Plain.F16}) {
      var stored = fixture.as(type, weight);
      fixture.agree(
          type.name(), f -> f.conv2d(fixture.as(f.dtype(), x), ConvWeight.same(stored, null)));
    }
  }

  @Test
  void epilogues() {
    var x = fixture.random(DType.Plain.F32, 2, 11, 9, 16);
    var weight = fixture.random(DType.Plain.F32, 24, 16, 3, 3);
    var bias = fixture.random(DType.Plain.F32, 24);
    var columns = fixture.random(DType.Plain.F32, 2, 24);
    var residual = fixture.random(DType.Plain.F32, 2, 11, 9, 24);
    for (var activation : Activation.values()) {
      fixture.agree(
          activation + " ",
          f ->
              f.conv2d(
                  fixture.as(f.dtype(), x),
                  ConvWeight.same(weight, bias),
                  new Epilogue(
                      activation,
                      fixture.as(f.dtype(), columns),
                      fixture.as(f.dtype(), residual))));
    }
  }

  /// Weights that no cache holds are shared out by output channels where images are small.
  @Test
  void largeWeightsAndSmallImages() {
    var weight = fixture.random(DType.Plain.F32, 512, 1024, 3, 3);
    var bias = fixture.random(DType.Plain.F32, 512);
    for (int[] size : new int[][] {{2, 3, 4}, {3, 1, 5}}) {
      var columns = fixture.random(DType.Plain.F32, size[0], 512);
      var x = fixture.random(DType.Plain.F32, size[0], size[1], size[2], 1024);
      var residual = fixture.random(DType.Plain.F32, size[0], size[1], size[2], 512);
      fixture.agree(
          "%d x %d ".formatted(size[1], size[2]),
          f ->
              f.conv2d(
                  fixture.as(f.dtype(), x),
                  ConvWeight.same(weight, bias),
                  new Epilogue(
                      Activation.SILU,
                      fixture.as(f.dtype(), columns),
                      fixture.as(f.dtype(), residual))));
    }
    var x = fixture.random(DType.Plain.F32, 1, 5, 2, 1024);
    fixture.agree("alone ", f -> f.conv2d(fixture.as(f.dtype(), x), ConvWeight.same(weight, null)));
  }

  @Test
  void inPlace() {
    for (int[] size : new int[][] {{16, 24, 3, 1}, {16, 24, 1, 1}, {16, 24, 2, 2}}) {
      var x = fixture.random(DType.Plain.F32, 2, 12, 8, size[0]);
      var weight = fixture.random(DType.Plain.F32, size[1], size[0], size[2], size[2]);
      var bias = fixture.random(DType.Plain.F32, size[1]);
      int stride = size[3];
      var y = fixture.random(DType.Plain.F32, 2, 12 / stride, 8 / stride, size[1]);
      var padding = Padding.of(size[2] == 3 ? 1 : 0);
      var found = new ArrayList<float[]>();
      fixture.agree(
          "%d x %d ".formatted(size[2], size[2]),
          f -> {
            var sum = f.cast(y);
            var w = ConvWeight.of(weight, bias, stride, padding);
            f.addConv2d(sum, fixture.as(f.dtype(), x), w);
            found.add(sum.toFloats());
            return sum;
          });
      float[] apart =
          fixture.result(
              Backend.SCALAR,
              DType.Plain.F32,
              f -> f.add(f.conv2d(x, ConvWeight.of(weight, bias, stride, padding)), y));
      FunctionalFixture.compare(apart, found.getFirst(), 1e-5, "one after the other");
    }
  }

  /// The packed weights serve images of other sizes too.
  @Test
  void oneWeightServesImagesOfSeveralSizes() {
    var weight = ConvWeight.same(fixture.random(DType.Plain.F32, 32, 16, 3, 3), null);
    for (int size : new int[] {3, 8, 40}) {
      var x = fixture.random(DType.Plain.F32, 1, size, size, 16);
      fixture.agree(size + " ", f -> f.conv2d(fixture.as(f.dtype(), x), weight));
    }
  }

  @Test
  void wrongShapesAreErrors() {
    try (var ops = new Ops(Backend.NATIVE, 1)) {
      var f = new Functional(ops, DType.Plain.F32);
      var weight =
          ConvWeight.of(fixture.random(DType.Plain.F32, 4, 3, 3, 3), null, 1, Padding.of(0));
      var x = fixture.random(DType.Plain.F32, 1, 5, 5, 3);
      assertThrows(
          IllegalArgumentException.class,
          () -> f.conv2d(fixture.random(DType.Plain.F32, 1, 5, 5, 4), weight));
      assertThrows(
          IllegalArgumentException.class,
          () -> f.conv2d(fixture.random(DType.Plain.F32, 1, 2, 5, 3), weight));
      assertThrows(
          IllegalArgumentException.class,
          () -> f.conv2d(fixture.random(DType.Plain.BF16, 1, 5, 5, 3), weight));
      assertThrows(IllegalArgumentException.class, () -> f.conv2d(x, weight, Epilogue.add(x)));
      assertThrows(
          IllegalArgumentException.class,
          () -> ConvWeight.of(fixture.random(DType.Plain.F32, 4, 3, 1, 1), null, 1, Padding.of(1)));
    }
  }
}
