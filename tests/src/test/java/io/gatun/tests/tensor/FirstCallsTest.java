package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.models.Llm;
import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.dense.AttentionScores;
import io.gatun.tensor.kernel.dense.FirstCalls;
import io.gatun.tensor.kernel.dense.FirstRows;
import io.gatun.tensor.kernel.dense.StoredProduct;
import io.gatun.tensor.kernel.dense.VectorKernels;
import io.gatun.tensor.kernel.ggml.RowDots;
import io.gatun.tensor.kernel.ggml.Unpack;
import io.gatun.tensor.kernel.scalar.Kernels;
import io.gatun.tests.Processes;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What serves until kernels of vectors are compiled gives what they do, to the last bit.
@ResourceLock("first calls")
class FirstCallsTest {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private static final List<DType.Plain> HALVES = List.of(DType.Plain.F16, DType.Plain.BF16);

  @Test
  void givesTheSameBits() {
    checkAll();
  }

  /// The same in a new JVM, since a JVM has one vector width.
  @ParameterizedTest
  @ValueSource(ints = {16, 32, 64})
  void givesTheSameBitsAtEveryVectorWidth(int bytes) throws Exception {
    Result result =
        Processes.run(Processes.java(FirstCallsTest.class, List.of("-XX:MaxVectorSize=" + bytes)));
    assertEquals(0, result.code(), result.out() + result.err());
  }

  @Test
  void answersAreTheSame() {
    try (var llm = Llm.load(TestData.pretrained("tiny-llm"))) {
      compare("logits", () -> llm.logits("ROMEO: What"));
    } finally {
      FirstCalls.serve(false);
    }
  }

  /// Runs the checks without JUnit.
  public static void main(String[] args) {
    checkAll();
  }

  private static void checkAll() {
    try {
      for (int n : new int[] {1, 7, 8, 15, 16, 33, 64, 100, 256, 2048}) {
        rows(n);
        conversions(n);
      }
      for (int n : new int[] {16, 32, 64, 80, 128}) {
        rope(n, false);
        rope(n, true);
      }
      for (int columns : new int[] {16, 32, 48, 80, 512}) {
        dots(columns);
      }
      for (int keys : new int[] {1, 5, 16, 31, 64, 200}) {
        attention(keys, keys, 0);
        attention(keys, 3, 2);
      }
      grid();
      for (int columns : new int[] {32, 64, 96}) {
        products(columns, false);
        products(columns, true);
      }
    } finally {
      FirstCalls.serve(false);
    }
  }

  /// Numbers of all sizes that activations have.
  private static float[] numbers(int n, int seed) {
    var random = new SplittableRandom(seed);
    var numbers = new float[n];
    for (int i = 0; i < n; i++) {
      double size = Math.pow(10, random.nextDouble(-3, 2.5));
      numbers[i] = i % 37 == 5 ? 0 : (float) random.nextDouble(-size, size);
    }
    return numbers;
  }

  private static MemorySegment memory(Arena arena, float[] numbers) {
    // More than a vector beyond, which kernels may read.
    var memory = arena.allocate(4L * numbers.length + 256, 64);
    MemorySegment.copy(numbers, 0, memory, FLOAT, 0, numbers.length);
    return memory;
  }

  private static void same(String what, float[] expected, float[] found) {
    if (!Arrays.equals(expected, found)) { // of two NaN, equal
      int i = Arrays.mismatch(expected, found);
      throw new AssertionError(
          "%s: [%d] is %s instead of %s".formatted(what, i, found[i], expected[i]));
    }
  }

  /// What both make of the same memory.
  private static void compare(String what, Supplier<float[]> kernel) {
    FirstCalls.serve(false);
    float[] expected = kernel.get();
    FirstCalls.serve(true);
    same(what, expected, kernel.get());
  }

  private static void rows(int n) {
    try (var arena = Arena.ofConfined()) {
      var x = memory(arena, numbers(n, n));
      var y = memory(arena, numbers(n, n + 1));
      rows("rmsNorm", n, (k, out) -> k.rmsNorm(x, 0, y, 0, 1e-5f, n, out, 0));
      rows("add", n, (k, out) -> k.add(x, 0, y, 0, n, out, 0));
      rows("mul", n, (k, out) -> k.mul(x, 0, y, 0, n, out, 0));
      rows("scale", n, (k, out) -> k.scale(x, 0, 0.3f, n, out, 0));
      rows("siluMul", n, (k, out) -> k.siluMul(x, 0, y, 0, n, out, 0));
      rows("max", n, (k, out) -> out.set(FLOAT, 0, k.max(x, 0, n)));
      rows("dot", n, (k, out) -> out.set(FLOAT, 0, k.dot(x, 0, y, 0, n)));
      rows("sums in place", n, (k, out) -> k.add(out, 0, y, 0, n, out, 0));
    }
  }

  @FunctionalInterface
  private interface Row {
    void run(Kernels kernels, MemorySegment out);
  }

  private static void rows(String what, int n, Row row) {
    same(what + " of " + n, results(new VectorKernels(), n, row), results(new FirstRows(), n, row));
  }

  private static float[] results(Kernels kernels, int n, Row row) {
    try (var arena = Arena.ofConfined()) {
      var out = memory(arena, numbers(n, -n));
      row.run(kernels, out);
      return Arrays.copyOf(out.toArray(FLOAT), n);
    }
  }

  private static void rope(int n, boolean interleaved) {
    try (var arena = Arena.ofConfined()) {
      var cos = memory(arena, numbers(n, 1));
      var sin = memory(arena, numbers(n, 2));
      rows("rope", n, (k, out) -> k.rope(out, 0, cos, sin, 0, n, interleaved));
    }
  }

  /// Finite F16 and BF16.
  private static MemorySegment halves(Arena arena, int n) {
    var random = new SplittableRandom(n);
    var halves = arena.allocate(2L * n + 256, 64);
    for (long i = 0; i < n; i++) {
      halves.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (random.nextInt() & 0xBFFF));
    }
    return halves;
  }

  private static void conversions(int n) {
    try (var arena = Arena.ofConfined()) {
      var halves = halves(arena, n);
      for (var type : HALVES) {
        compare(
            type + " to F32",
            () -> {
              var out = arena.allocate(4L * n, 64);
              Unpack.toFloat(type, halves, 0, out, 0, n);
              return out.toArray(FLOAT);
            });
      }
    }
  }

  private static void dots(int columns) {
    try (var arena = Arena.ofConfined()) {
      var w = halves(arena, 5 * columns);
      var x = memory(arena, numbers(columns, columns));
      for (var type : HALVES) {
        compare(
            "rows of %d %s".formatted(columns, type),
            () -> {
              var y = arena.allocate(4 * 5, 64);
              RowDots.multiply(type, w, 0, columns, x, 0, 1, 5, y, 0);
              return y.toArray(FLOAT);
            });
      }
    }
  }

  private static void products(int columns, boolean add) {
    int k = 40;
    int m = 2 * StoredProduct.ROWS;
    try (var arena = Arena.ofConfined()) {
      var a = memory(arena, numbers(m * (k + 3), 3));
      var b = halves(arena, k * (columns + 8));
      for (var type : HALVES) {
        if (StoredProduct.supports(type, columns)) {
          compare(
              "product of %d columns of %s".formatted(columns, type),
              () -> {
                var c = memory(arena, numbers(m * (columns + 4), 4));
                StoredProduct.multiply(
                    type, a, 0, k + 3, b, 0, columns + 8, c, 0, columns + 4, m, columns, k, add);
                return c.toArray(FLOAT);
              });
        }
      }
    }
  }

  /// Two queries of three heads each, the first of which sees `before` keys and `after` ones.
  private static void attention(int keys, int before, int after) {
    int rows = 6;
    scores(
        "attention to " + keys,
        keys,
        rows,
        (memory, stride) ->
            new AttentionScores(
                memory.address() + AttentionScores.GAP,
                stride,
                rows,
                3,
                Math.max(0, keys - 3),
                keys,
                0,
                before,
                after,
                0.7f,
                0,
                0,
                0,
                0,
                memory.address() + rows * stride + 1024,
                memory.address() + rows * stride + 2048));
  }

  /// Queries and keys on a grid, with decomposed relative positions.
  private static void grid() {
    int height = 3;
    int width = 7;
    int keys = height * width;
    try (var arena = Arena.ofConfined()) {
      int columns = 2 * (height + width);
      var positions = memory(arena, numbers(keys * columns, 9));
      scores(
          "attention on a grid",
          keys,
          keys,
          (memory, stride) ->
              new AttentionScores(
                  memory.address() + AttentionScores.GAP,
                  stride,
                  keys,
                  1,
                  0,
                  keys,
                  0,
                  keys,
                  keys,
                  0.7f,
                  positions.address(),
                  4L * columns,
                  height,
                  width,
                  memory.address() + keys * stride + 1024,
                  memory.address() + keys * stride + 2048));
    }
  }

  @FunctionalInterface
  private interface Scores {
    AttentionScores of(MemorySegment memory, long stride);
  }

  private static void scores(String what, int keys, int rows, Scores scores) {
    long stride = 4L * keys + 192 & -64;
    var products = numbers((int) (rows * stride / 4), keys);
    List<Consumer<AttentionScores>> references =
        List.of(AttentionScores::sample, AttentionScores::greatest);
    for (var reference : references) {
      compare(
          what,
          () -> {
            try (var arena = Arena.ofConfined()) {
              var memory = arena.allocate(rows * stride + 4096, 64);
              MemorySegment.copy(products, 0, memory, FLOAT, AttentionScores.GAP, products.length);
              var s = scores.of(memory, stride);
              s.begin();
              reference.accept(s);
              s.weights(false);
              var found = new float[rows * (keys + 2)];
              int at = 0;
              for (int i = 0; i < rows; i++) {
                for (int j = 0; j < keys; j++) {
                  found[at++] = memory.get(FLOAT, i * stride + 4L * j);
                }
                found[at++] = memory.get(FLOAT, rows * stride + 1024 + 4L * i);
                found[at++] = memory.get(FLOAT, rows * stride + 2048 + 4L * i);
              }
              return found;
            }
          });
    }
  }
}
