package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gatun.tensor.DType;
import io.gatun.tensor.DType.Plain;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.scalar.Floats;
import io.gatun.tensor.ops.Activation;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Epilogue;
import io.gatun.tensor.ops.Functional;
import io.gatun.tensor.ops.LinearWeight;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Quantization;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.BiFunction;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Every operation of [Functional] gives on every backend and in both types what the scalar backend
/// gives in F32 for the same values, up to the rounding of its result, at sizes that fit no vector;
/// and the scalar backend gives what the definitions say.
class FunctionalTest {
  private static final int[] SIZES = {1, 2, 31, 32, 33, 207};

  /// What the scalar backend gives: for a test's method, the seed of an operation in it, which is
  /// the same for all variants, and whether the operands are rounded.
  private static final Map<String, float[]> EXPECTED = new HashMap<>();

  private final Random random = new Random(5);
  private final Arena arena = Arena.ofAuto();
  private String test;

  @BeforeEach
  void noteTest(TestInfo info) {
    test = info.getTestMethod().orElseThrow().getName() + ' ';
  }

  @AfterAll
  static void forget() {
    EXPECTED.clear();
  }

  static Stream<Arguments> variants() {
    return Stream.of(Backend.values())
        .flatMap(
            backend -> Stream.of(Plain.F32, Plain.BF16).map(dtype -> Arguments.of(backend, dtype)));
  }

  @ParameterizedTest
  @MethodSource("variants")
  void casts(Backend backend, Plain dtype) {
    for (int n : SIZES) {
      for (var type : new Plain[] {Plain.F32, Plain.F16, Plain.BF16}) {
        var x = convert(random(3, n), type);
        agree(backend, dtype, 1, (f, a) -> f.cast(x));
        var padded = convert(random(3, n + 5), type).slice(1, 2, n + 2);
        agree(backend, dtype, 1, (f, a) -> f.cast(padded));
      }
      var x = random(2, 3, n);
      agree(backend, dtype, 1, (f, a) -> f.toF32(a.of(x)));
    }
  }

  @ParameterizedTest
  @MethodSource("variants")
  void embedding(Backend backend, Plain dtype) {
    var table = convert(random(9, 33), Plain.F16);
    agree(backend, dtype, 1, (f, a) -> f.embedding(new int[] {8, 0, 3}, table));
  }

  @ParameterizedTest
  @MethodSource("variants")
  void elementwise(Backend backend, Plain dtype) {
    for (int n : SIZES) {
      var x = random(2, 3, 5, n);
      var y = random(2, 3, 5, n);
      var end = random(5, n);
      for (var activation : Activation.values()) {
        agree(backend, dtype, 1, (f, a) -> f.activate(a.of(x), activation));
      }
      agree(backend, dtype, 1, (f, a) -> f.add(a.of(x), a.of(y)));
      agree(backend, dtype, 1, (f, a) -> f.add(a.of(x), a.of(end)));
      agree(backend, dtype, 1, (f, a) -> f.mul(a.of(x), a.of(y)));
      agree(backend, dtype, 1, (f, a) -> f.mul(a.of(x), a.of(end)));
      agree(backend, dtype, 1, (f, a) -> f.scale(a.of(x), 0.18215f));
      var gated = random(5, 11, 2L * n);
      agree(backend, dtype, 1, (f, a) -> f.geglu(a.of(gated)));
      var parts = random(2, 3, 5, 7);
      agree(backend, dtype, 1, (f, a) -> f.concat(a.of(x), a.of(parts), a.of(y)));
    }
    var large = random(5000);
    agree(backend, dtype, 1, (f, a) -> f.add(a.of(large), a.of(large)));
  }

  @ParameterizedTest
  @MethodSource("variants")
  void norms(Backend backend, Plain dtype) {
    for (int n : SIZES) {
      var x = random(2, 3, n);
      var w = convert(random(n), Plain.F16);
      var b = random(n);
      // One channel alone is its mean, and what remains is amplified rounding.
      if (n > 1) {
        agree(backend, dtype, n, (f, a) -> f.layerNorm(a.of(x), w, b, 1e-6f));
      }
      var image = random(2, 9, 15, 4L * n);
      var weight = random(4L * n);
      var bias = random(4L * n);
      for (int groups : new int[] {1, 4}) {
        for (var activation : new Activation[] {Activation.NONE, Activation.SILU}) {
          agree(
              backend,
              dtype,
              135,
              (f, a) -> f.groupNorm(a.of(image), groups, weight, bias, 1e-5f, activation));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("variants")
  void linear(Backend backend, Plain dtype) {
    for (int k : SIZES) {
      for (int n : SIZES) {
        for (int t : new int[] {1, 5, 33}) {
          var x = random(2, t, k);
          var bias = random(n);
          var type = k % 32 == 0 ? DType.Block.Q8_0 : Plain.F16;
          for (DType stored : new DType[] {Plain.F32, Plain.BF16, type}) {
            var w = stored instanceof Plain p ? convert(weights(n, k), p) : q80(n, k);
            agree(backend, dtype, k, (f, a) -> f.linear(a.of(x), LinearWeight.of(w, bias)));
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("variants")
  void linearEpilogues(Backend backend, Plain dtype) {
    int k = 40;
    for (int n : new int[] {7, 64, 207}) {
      var x = random(3, 5, 7, k);
      var w = weights(n, k);
      var bias = convert(random(n), Plain.BF16);
      var columns = random(3, n);
      var residual = random(3, 5, 7, n);
      for (var activation : Activation.values()) {
        agree(
            backend,
            dtype,
            k,
            (f, a) ->
                f.linear(
                    a.of(x),
                    LinearWeight.of(w, bias),
                    new Epilogue(activation, a.of(columns), a.of(residual))));
      }
      agree(
          backend,
          dtype,
          k,
          (f, a) -> f.linear(a.of(x), LinearWeight.of(w, null), Epilogue.add(a.of(residual))));
      agree(
          backend,
          dtype,
          k,
          (f, a) ->
              f.linear(a.of(x), LinearWeight.of(w, null), Epilogue.addColumns(a.of(columns))));
    }
  }

  @ParameterizedTest
  @MethodSource("variants")
  void linearInPlace(Backend backend, Plain dtype) {
    int k = 96;
    for (int n : new int[] {7, 64, 224}) {
      var x = random(2, 35, k);
      var w = weights(n, k);
      var bias = random(n);
      var y = random(2, 35, n);
      agree(
          backend,
          dtype,
          k,
          (f, a) -> {
            var sum = f.cast(a.of(y));
            f.addLinear(sum, a.of(x), LinearWeight.of(w, bias));
            return sum;
          });
      for (var quantization : Quantization.values()) {
        if (n % 32 != 0 && quantization != Quantization.NONE) {
          continue;
        }
        try (var ops = new Ops(backend, 2)) {
          var f = new Functional(ops, Plain.F32);
          var layer = LinearWeight.of(w, bias).quantized(quantization);
          var sum = f.cast(y);
          f.addLinear(sum, x, layer);
          assertArrayEquals(f.add(f.linear(x, layer), y).toFloats(), sum.toFloats(), 1e-4f);
        }
      }
    }
  }

  /// Without room for packed copies, the weights are read where they lie or converted on the way.
  @ParameterizedTest
  @MethodSource("variants")
  void linearsSideBySide(Backend backend, Plain dtype) {
    int k = 40;
    var x = random(2, 5, k);
    var residual = random(2, 5, 207 + 33 + 64);
    var bias = random(33);
    var parts = new Tensor[] {weights(207, k), weights(33, k), convert(weights(64, k), Plain.F16)};
    for (long budget : new long[] {0, 1L << 30}) {
      agree(
          backend,
          dtype,
          k,
          (f, a) -> {
            f.packingBudget(budget);
            var w =
                LinearWeight.concat(
                    List.of(
                        LinearWeight.of(parts[0], null),
                        LinearWeight.of(parts[1], bias),
                        LinearWeight.of(parts[2], null)));
            return f.linear(a.of(x), w, Epilogue.add(a.of(residual)));
          });
    }
    try (var ops = new Ops(backend, 2)) {
      var f = new Functional(ops, Plain.F32);
      var second = LinearWeight.of(parts[1], bias);
      var both = LinearWeight.concat(List.of(LinearWeight.of(parts[0], null), second));
      assertArrayEquals(
          f.linear(x, second).toFloats(), f.linear(x, both).slice(2, 207, 240).toFloats(), 1e-4f);
    }
  }

  @ParameterizedTest
  @MethodSource("variants")
  void linearWithoutPacking(Backend backend, Plain dtype) {
    var x = random(2, 70, 96);
    for (var type : new Plain[] {Plain.F32, Plain.BF16, Plain.F16}) {
      var w = convert(weights(300, 96), type);
      var bias = random(300);
      agree(
          backend,
          dtype,
          96,
          (f, a) -> {
            f.packingBudget(0);
            return f.linear(a.of(x), LinearWeight.of(w, bias));
          });
    }
  }

  /// More rows and columns than a task has, from rows that lie apart, twice with one weight.
  @ParameterizedTest
  @MethodSource("variants")
  void largeLinear(Backend backend, Plain dtype) {
    var x = random(2, 700, 48);
    var w = LinearWeight.of(weights(5000, 32), null);
    agree(backend, dtype, 32, (f, a) -> f.linear(a.of(x).slice(2, 8, 40), w).slice(2, 4000, 4100));
    agree(
        backend,
        dtype,
        32,
        (f, a) -> f.linear(a.of(x).slice(1, 100, 300).slice(2, 8, 40), w).slice(2, 0, 100));
    var wide = random(2, 40, 600);
    var residual = random(2, 40, 900);
    var columns = random(2, 900);
    var square = weights(900, 600);
    agree(
        backend,
        dtype,
        600,
        (f, a) ->
            f.linear(
                a.of(wide),
                LinearWeight.of(square, null),
                new Epilogue(Activation.GELU, a.of(columns), a.of(residual))));
  }

  /// Blocks with and without two equal halves, packed and not, rounded and not.
  @ParameterizedTest
  @MethodSource("variants")
  void linearGeglu(Backend backend, Plain dtype) {
    for (int n : new int[] {6, 64, 1280}) {
      int k = 320;
      var x = random(2, 70, k);
      var w = convert(weights(n, k), Plain.BF16);
      var bias = random(n);
      for (long budget : new long[] {0, 1 << 20}) {
        for (var quantization : Quantization.values()) {
          if (n % 32 == 0 || quantization == Quantization.NONE) {
            agree(
                backend,
                dtype,
                k,
                3,
                (f, a) -> {
                  f.packingBudget(budget);
                  return f.linearGeglu(a.of(x), LinearWeight.of(w, bias).quantized(quantization));
                });
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("variants")
  void quantizedLinear(Backend backend, Plain dtype) {
    for (var quantization : new Quantization[] {Quantization.INT8, Quantization.INT8_DYNAMIC}) {
      for (int k : new int[] {32, 96, 1280}) {
        for (int n : new int[] {32, 64, 1056}) {
          var x = random(2, 3, 17, k);
          var w = convert(weights(n, k), n == 64 ? Plain.F16 : Plain.BF16);
          var bias = n == 32 ? null : random(n);
          var columns = random(2, n);
          var residual = random(2, 3, 17, n);
          agree(
              backend,
              dtype,
              k,
              (f, a) -> f.linear(a.of(x), LinearWeight.of(w, bias).quantized(quantization)));
          agree(
              backend,
              dtype,
              k,
              (f, a) ->
                  f.linear(
                      a.of(x).slice(2, 3, 14),
                      LinearWeight.of(w, bias).quantized(quantization),
                      new Epilogue(
                          Activation.SILU, a.of(columns), f.cast(a.of(residual).slice(2, 3, 14)))));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("variants")
  void quantizedLayersSideBySide(Backend backend, Plain dtype) {
    var x = random(70, 96);
    var layers =
        List.of(
            LinearWeight.of(convert(weights(64, 96), Plain.BF16), random(64)),
            LinearWeight.of(weights(704, 96), null));
    for (var quantization : Quantization.values()) {
      agree(
          backend,
          dtype,
          96,
          (f, a) -> f.linear(a.of(x), LinearWeight.concat(layers).quantized(quantization)));
    }
    var rounded = List.of(layers.getFirst(), layers.getLast().quantized(Quantization.INT8));
    refused(() -> LinearWeight.concat(rounded));
  }

  /// Weights and activations that are such multiples of powers of two lose nothing.
  @ParameterizedTest
  @MethodSource("variants")
  void quantizedLinearIsExactForIntegers(Backend backend, Plain dtype) {
    int k = 64;
    int n = 32;
    var x = integers(5, k, 0x1p-3f);
    var w = integers(n, k, 0x1p-4f);
    for (var quantization : Quantization.values()) {
      try (var ops = new Ops(backend, 2)) {
        var f = new Functional(ops, dtype);
        var weight = LinearWeight.of(w, null).quantized(quantization);
        var y = f.toF32(f.linear(convert(x, dtype), weight));
        for (int t = 0; t < 5; t++) {
          for (int i = 0; i < n; i++) {
            double sum = 0;
            for (int j = 0; j < k; j++) {
              sum += (double) x.getFloat(t, j) * w.getFloat(i, j);
            }
            double rounding = dtype == Plain.BF16 ? 0x1p-8 : 1e-6;
            assertEquals(sum, y.getFloat(t, i), rounding * Math.abs(sum) + 1e-4);
          }
        }
      }
    }
  }

  /// Rows of integers up to 127, which each row has, times a power of two.
  private Tensor integers(int rows, int columns, float unit) {
    var t = Tensor.allocate(arena, Plain.F32, rows, columns);
    for (int i = 0; i < rows * columns; i++) {
      int value = i % columns == 0 ? 127 : random.nextInt(255) - 127;
      Floats.store(Plain.F32, t.segment(), 0, i, value * unit);
    }
    return t;
  }

  @ParameterizedTest
  @MethodSource("variants")
  void matmulTransposed(Backend backend, Plain dtype) {
    for (int k : SIZES) {
      var a = random(3, 33, k);
      var b = random(3, 300, k);
      agree(backend, dtype, k, (f, args) -> f.matmulTransposed(args.of(a), args.of(b)));
    }
  }

  /// The definitions, in F64, for the scalar backend.
  @Test
  void scalarFunctionsAreTheirDefinitions() {
    // erf at 0.5, 1 and 2 (Abramowitz and Stegun, table 7.1).
    double root = Math.sqrt(2);
    float[] x = {0, (float) (root / 2), (float) root, (float) (2 * root), (float) -root, 9, -9};
    double[] erf = {0, 0.5204998778, 0.8427007929, 0.9953222650, -0.8427007929, 1, -1};
    float[] gelu = activated(Activation.GELU, x);
    for (int i = 0; i < x.length; i++) {
      assertEquals(x[i] * (1 + erf[i]) / 2, gelu[i], 3e-7 * Math.max(1, Math.abs(x[i])));
    }
    definition(Activation.RELU, x, v -> Math.max(v, 0));
    definition(Activation.SILU, x, v -> v / (1 + Math.exp(-v)));
    definition(Activation.QUICK_GELU, x, v -> v / (1 + Math.exp(-1.702 * v)));
    definition(
        Activation.GELU_TANH,
        x,
        v -> 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v * v * v))));
  }

  private void definition(Activation activation, float[] x, ToDoubleFunction<Double> function) {
    float[] found = activated(activation, x);
    for (int i = 0; i < x.length; i++) {
      double expected = function.applyAsDouble((double) x[i]);
      assertEquals(expected, found[i], 1e-6 * Math.max(1, Math.abs(expected)));
    }
  }

  private float[] activated(Activation activation, float[] x) {
    try (var ops = new Ops(Backend.SCALAR, 1)) {
      var f = new Functional(ops, Plain.F32);
      return f.activate(Tensor.ofFloats(arena, x, x.length), activation).toFloats();
    }
  }

  /// GELU is exact to F32 over the whole range on vectors too.
  @Test
  void vectorGeluIsAccurate() {
    var x = new float[40001];
    for (int i = 0; i < x.length; i++) {
      x[i] = (i - 20000) * 5e-4f;
    }
    float[] expected = activated(Activation.GELU, x);
    try (var ops = new Ops(Backend.VECTOR, 1)) {
      var f = new Functional(ops, Plain.F32);
      float[] found = f.activate(Tensor.ofFloats(arena, x, x.length), Activation.GELU).toFloats();
      for (int i = 0; i < x.length; i++) {
        assertEquals(expected[i], found[i], 4e-7 * Math.max(1, Math.abs(x[i])), "at " + x[i]);
      }
    }
  }

  @Test
  void scalarGroupNormIsItsDefinition() {
    int pixels = 150;
    var x = random(1, pixels, 4);
    var w = random(4);
    var b = random(4);
    // Values far from zero: their squares' sum alone would lose the variance.
    for (long i = 0; i < x.size(); i++) {
      long at = i;
      x.segment()
          .setAtIndex(
              ValueLayout.JAVA_FLOAT, i, x.segment().getAtIndex(ValueLayout.JAVA_FLOAT, at) + 500);
    }
    try (var ops = new Ops(Backend.SCALAR, 1)) {
      var f = new Functional(ops, Plain.F32);
      var y = f.groupNorm(x, 2, w, b, 1e-5f, Activation.NONE);
      for (int g = 0; g < 2; g++) {
        double mean = 0;
        for (int i = 0; i < 2 * pixels; i++) {
          mean += x.getFloat(0, i / 2, 2 * g + i % 2) / (2.0 * pixels);
        }
        double variance = 0;
        for (int i = 0; i < 2 * pixels; i++) {
          double d = x.getFloat(0, i / 2, 2 * g + i % 2) - mean;
          variance += d * d / (2 * pixels);
        }
        for (int i = 0; i < 2 * pixels; i++) {
          int c = 2 * g + i % 2;
          double normal = (x.getFloat(0, i / 2, c) - mean) / Math.sqrt(variance + 1e-5);
          assertEquals(normal * w.getFloat(c) + b.getFloat(c), y.getFloat(0, i / 2, c), 2e-4);
        }
      }
    }
  }

  @Test
  void concatPutsChannelsSideBySide() {
    try (var ops = new Ops(Backend.NATIVE, 2)) {
      var f = new Functional(ops, Plain.F32);
      var a = Tensor.ofFloats(arena, new float[] {1, 2, 3, 4}, 2, 2);
      var b = Tensor.ofFloats(arena, new float[] {5, 6}, 2, 1);
      var c = f.concat(a, b);
      assertEquals(Shape.of(2, 3), c.shape());
      assertArrayEquals(new float[] {1, 2, 5, 3, 4, 6}, c.toFloats());
    }
  }

  @Test
  void wrongOperandsAreRefused() {
    try (var ops = new Ops(Backend.VECTOR, 1)) {
      var f = new Functional(ops, Plain.BF16);
      var x = convert(random(2, 3, 8), Plain.BF16);
      var w = LinearWeight.of(random(4, 8), null);
      refused(() -> f.linear(random(3, 8), w));
      refused(() -> f.linear(convert(random(3, 7), Plain.BF16), w));
      refused(() -> f.linear(x, w, Epilogue.add(x)));
      refused(() -> f.addLinear(x, x, w));
      refused(() -> f.linear(x, w, Epilogue.addColumns(convert(random(3, 4), Plain.BF16))));
      refused(() -> LinearWeight.of(random(4, 8), random(8)));
      refused(() -> w.quantized(Quantization.INT8));
      refused(() -> f.linearGeglu(x, LinearWeight.of(random(5, 8), null)));
      refused(() -> f.add(x, convert(random(2), Plain.BF16)));
      refused(() -> f.add(x, random(8)));
      refused(() -> f.activate(x.slice(2, 0, 4), Activation.RELU));
      refused(() -> f.layerNorm(x, random(7), random(8), 1e-5f));
      refused(() -> f.groupNorm(x, 3, random(8), random(8), 1e-5f, Activation.NONE));
      refused(() -> f.geglu(convert(random(2, 7), Plain.BF16)));
      refused(() -> f.concat(x, convert(random(2, 2, 8), Plain.BF16)));
      refused(() -> f.matmulTransposed(x, convert(random(3, 3, 8), Plain.BF16)));
      assertThrows(IndexOutOfBoundsException.class, () -> f.embedding(new int[] {4}, random(4, 8)));
      assertThrows(IllegalArgumentException.class, () -> new Functional(ops, Plain.F16));
    }
  }

  private static void refused(Runnable call) {
    assertThrows(IllegalArgumentException.class, call::run);
  }

  /// Operands in the activations' type.
  private final class Operands {
    private final Plain dtype;
    private final boolean rounded;

    Operands(Plain dtype, boolean rounded) {
      this.dtype = dtype;
      this.rounded = rounded;
    }

    /// The values of an F32 tensor, the same for the reference and for the variant under test.
    Tensor of(Tensor x) {
      var t = rounded ? convert(x, Plain.BF16) : x;
      return t.dtype() == dtype ? t : convert(t, dtype);
    }
  }

  private void agree(
      Backend backend,
      Plain dtype,
      int length,
      BiFunction<Functional, Operands, Tensor> operation) {
    agree(backend, dtype, length, 1, operation);
  }

  /// @param length the products in a sum
  /// @param roundings how often the result, or what it is a product of, is rounded to BF16; from
  ///   the second on, factors near zero carry the error of their whole sum
  private void agree(
      Backend backend,
      Plain dtype,
      int length,
      int roundings,
      BiFunction<Functional, Operands, Tensor> operation) {
    long seed = random.nextLong();
    boolean rounded = dtype == Plain.BF16;
    float[] expected =
        EXPECTED.computeIfAbsent(
            test + seed + rounded,
            _ -> {
              random.setSeed(seed);
              try (var scalar = new Ops(Backend.SCALAR, 1)) {
                var operands = new Operands(Plain.F32, rounded);
                return operation.apply(new Functional(scalar, Plain.F32), operands).toFloats();
              }
            });
    try (var tested = new Ops(backend, 2)) {
      random.setSeed(seed);
      float[] found =
          operation.apply(new Functional(tested, dtype), new Operands(dtype, rounded)).toFloats();
      assertEquals(expected.length, found.length);
      float max = (float) Math.sqrt(length);
      for (float e : expected) {
        max = Math.max(max, Math.abs(e));
      }
      double tolerance = 3e-7 * max * (8 + Math.sqrt(length));
      double rounding = dtype == Plain.BF16 ? roundings * 0x1p-8 : 0;
      double least = roundings == 1 ? 0 : Math.sqrt(length);
      for (int i = 0; i < found.length; i++) {
        assertEquals(
            expected[i],
            found[i],
            tolerance + rounding * Math.max(least, Math.abs(expected[i])),
            "element " + i);
      }
    }
  }

  private Tensor random(long... dims) {
    var t = Tensor.allocate(arena, Plain.F32, dims);
    for (long i = 0; i < t.size(); i++) {
      t.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return t;
  }

  /// Values that any type of weights holds exactly, BF16 included.
  private Tensor weights(long... dims) {
    return convert(convert(random(dims), Plain.BF16), Plain.F32);
  }

  /// Blocks of an F16 scale, a power of two, and 32 signed bytes.
  private Tensor q80(int n, int k) {
    var bytes = new byte[n * k / 32 * 34];
    random.nextBytes(bytes);
    for (int i = 0; i < bytes.length; i += 34) {
      short scale = Float.floatToFloat16(0x1p-7f);
      bytes[i] = (byte) scale;
      bytes[i + 1] = (byte) (scale >> 8);
    }
    var segment = arena.allocate(bytes.length, 64);
    MemorySegment.copy(bytes, 0, segment, ValueLayout.JAVA_BYTE, 0, bytes.length);
    return Tensor.of(segment, DType.Block.Q8_0, Shape.of(n, k));
  }

  private Tensor convert(Tensor x, Plain type) {
    var t = Tensor.allocate(arena, type, x.shape().dims());
    float[] values = x.toFloats();
    for (int i = 0; i < values.length; i++) {
      Floats.store(type, t.segment(), 0, i, values[i]);
    }
    return t;
  }
}
