package io.gatun.tests.ffm;

import static io.gatun.ffm.ElementType.BF16;
import static io.gatun.ffm.ElementType.F32;
import static io.gatun.ffm.ElementType.S32;
import static io.gatun.ffm.ElementType.S8;
import static io.gatun.ffm.ElementType.U8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.ThreadMXBean;
import io.gatun.ffm.ElementType;
import io.gatun.ffm.MatmulSpec;
import io.gatun.ffm.OneDnn;
import io.gatun.ffm.Operands;
import io.gatun.ffm.PackedLayout;
import io.gatun.ffm.PostOp;
import io.gatun.ffm.PostOp.Activation;
import io.gatun.ffm.PostOp.Binary;
import io.gatun.ffm.WeightLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class OneDnnMatmulTest {
  private static final int[] SIZES = {1, 31, 33, 64};

  private record Types(ElementType a, ElementType b, ElementType c) {}

  private static List<Types> types() {
    return List.of(
        new Types(F32, F32, F32),
        new Types(BF16, BF16, F32),
        new Types(BF16, BF16, BF16),
        new Types(U8, S8, S32),
        new Types(S8, S8, S32),
        new Types(S8, S8, F32));
  }

  @BeforeAll
  static void needsOneDnn() {
    assertTrue(OneDnn.isAvailable(), OneDnn::problem);
  }

  /// Without instructions for a type oneDNN has no products of it here, or saturates their sums.
  static void needs(ElementType type) {
    assumeTrue(OneDnn.supports(type), () -> "this CPU has no instructions for " + type);
  }

  /// For [NativeProbe].
  static void smallestProduct() {
    check(MatmulSpec.of(1, 1, 1, F32, F32, F32, false), x -> x);
  }

  /// Products ask on every call.
  @Test
  void askingForALayoutAgainTakesNoHeap() {
    var spec = MatmulSpec.of(33, 64, 96, F32, F32, F32, true);
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    var layout = OneDnn.packedLayout(spec);
    long before = threads.getCurrentThreadAllocatedBytes();
    for (int i = 0; i < 1000; i++) {
      assertSame(layout, OneDnn.packedLayout(spec));
    }
    long bytes = threads.getCurrentThreadAllocatedBytes() - before;
    assertTrue(bytes < 100_000, bytes + " bytes");
  }

  @ParameterizedTest
  @MethodSource("types")
  void everyTypeEqualsThePlainLoop(Types t) {
    needs(t.a);
    for (int m : SIZES) {
      for (int n : SIZES) {
        for (boolean transposed : new boolean[] {false, true}) {
          // 8-bit matrices of such a depth are refused if not transposed: see below.
          int k = t.b == S8 && !transposed ? 63 : 67;
          check(MatmulSpec.of(m, n, k, t.a, t.b, t.c, transposed), x -> x);
        }
      }
    }
  }

  @Test
  void refusesWhatOneDnnGetsWrong() {
    try (var arena = Arena.ofConfined()) {
      MemorySegment enough = arena.allocate(4L * 31 * 67, 64);
      var spec = MatmulSpec.of(31, 31, 67, U8, S8, S32, false);
      var e =
          assertThrows(
              UnsupportedOperationException.class,
              () -> OneDnn.matmul(spec, enough, enough, enough));
      assertTrue(e.getMessage().contains("k=67"), e.getMessage());
    }
  }

  @ParameterizedTest
  @MethodSource("types")
  void leadingDimensionsSkipTheGaps(Types t) {
    needs(t.a);
    var spec = MatmulSpec.of(13, 47, 35, t.a, t.b, t.c, false);
    check(spec.withStrides(40, WeightLayout.rowMajor(50), 64), x -> x);
    check(spec.withStrides(37, WeightLayout.transposed(39), 49), x -> x);
  }

  @ParameterizedTest
  @MethodSource("types")
  void packedWeightsGiveTheSame(Types t) {
    needs(t.a);
    for (boolean transposed : new boolean[] {false, true}) {
      int k = t.b == S8 && !transposed ? 63 : 65;
      var spec = MatmulSpec.of(33, 79, k, t.a, t.b, t.c, transposed);
      try (var arena = Arena.ofConfined()) {
        MemorySegment a = Matrices.random(arena, t.a, 33 * k, 1);
        MemorySegment b = Matrices.random(arena, t.b, 79 * k, 2);
        MemorySegment plain = arena.allocate(33L * 79 * t.c.bytes(), 64);
        MemorySegment fast = arena.allocate(33L * 79 * t.c.bytes(), 64);
        PackedLayout layout = OneDnn.packedLayout(spec);
        MemorySegment packed = arena.allocate(layout.byteSize(), 64);
        OneDnn.pack(spec, t.b, b, layout, packed);
        for (int m : new int[] {33, 1, 8}) {
          OneDnn.matmul(spec.withRows(m), a, b, plain);
          OneDnn.matmul(spec.withRows(m).withLayout(layout), a, packed, fast);
          for (int i = 0; i < m * 79; i++) {
            double expected = Matrices.get(plain, t.c, i);
            double tolerance = tolerance(t.a, t.c, k, expected);
            Matrices.assertClose(expected, Matrices.get(fast, t.c, i), tolerance, spec + " " + m);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16"})
  void activationsAreWhatTheyAreCalled(ElementType type) {
    needs(type);
    for (Activation activation : Activation.values()) {
      DoubleUnaryOperator f =
          switch (activation) {
            case RELU -> x -> Math.max(x, 0);
            case GELU_ERF -> x -> x * normalDistribution(x);
            case GELU_TANH ->
                x -> x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
            case SILU -> x -> x / (1 + Math.exp(-x));
            case QUICK_GELU -> x -> x / (1 + Math.exp(-1.702 * x));
          };
      check(MatmulSpec.of(9, 33, 20, type, type, F32, true).withPostOps(activation), f);
    }
  }

  // By Simpson's rule, so that the test does not share an approximation with what it tests.
  private static double normalDistribution(double x) {
    int steps = 2000;
    double h = x / steps;
    double sum = 0;
    for (int i = 0; i <= steps; i++) {
      double weight = i == 0 || i == steps ? 1 : i % 2 == 1 ? 4 : 2;
      sum += weight * Math.exp(-(i * h) * (i * h) / 2);
    }
    return 0.5 + sum * h / 3 / Math.sqrt(2 * Math.PI);
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16"})
  void postOpsRunInTheirOrder(ElementType type) {
    needs(type);
    int m = 17;
    int n = 50;
    int k = 33;
    var spec =
        MatmulSpec.of(m, n, k, type, type, F32, true)
            .withBias(F32)
            .withPostOps(
                PostOp.ACCUMULATE,
                Activation.SILU,
                new Binary(Binary.Op.MULTIPLY, F32, Binary.Extent.PER_COLUMN),
                new Binary(Binary.Op.ADD, type, Binary.Extent.EVERY_ELEMENT));
    try (var arena = Arena.ofConfined()) {
      MemorySegment a = Matrices.random(arena, type, (long) m * k, 1);
      MemorySegment b = Matrices.random(arena, type, (long) n * k, 2);
      MemorySegment c = Matrices.random(arena, F32, (long) m * n, 3);
      MemorySegment before = arena.allocate(c.byteSize(), 64).copyFrom(c);
      MemorySegment bias = Matrices.random(arena, F32, n, 4);
      MemorySegment perColumn = Matrices.random(arena, F32, n, 6);
      MemorySegment residual = Matrices.random(arena, type, (long) m * n, 7);
      OneDnn.matmul(spec, a, b, c, Operands.bias(bias).withPostOps(perColumn, residual));
      for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
          double x = Matrices.dot(a, type, (long) i * k, 1, b, type, (long) j * k, 1, k);
          x += Matrices.get(bias, F32, j) + Matrices.get(before, F32, (long) i * n + j);
          x = x / (1 + Math.exp(-x)) * Matrices.get(perColumn, F32, j);
          x += Matrices.get(residual, type, (long) i * n + j);
          assertEquals(x, Matrices.get(c, F32, (long) i * n + j), 1e-4);
        }
      }
    }
  }

  @Test
  void threadsShareAPrimitive() throws Exception {
    int n = 96;
    var spec = MatmulSpec.of(n, n, n, F32, F32, F32, true);
    try (var arena = Arena.ofShared();
        var threads = Executors.newFixedThreadPool(4)) {
      var jobs = new ArrayList<Callable<Void>>();
      for (int t = 0; t < 4; t++) {
        MemorySegment a = Matrices.random(arena, F32, (long) n * n, t);
        MemorySegment b = Matrices.random(arena, F32, (long) n * n, t + 10);
        MemorySegment expected = arena.allocate((long) n * n * 4, 64);
        OneDnn.matmul(spec, a, b, expected);
        MemorySegment c = arena.allocate((long) n * n * 4, 64);
        jobs.add(
            () -> {
              for (int i = 0; i < 300; i++) {
                c.fill((byte) 0);
                OneDnn.matmul(spec, a, b, c);
                assertEquals(-1, expected.mismatch(c));
              }
              return null;
            });
      }
      for (var result : threads.invokeAll(jobs)) {
        result.get();
      }
    }
  }

  @Test
  void moreShapesThanTheCacheHoldsStillRun() {
    // Closes the first primitives; they are compiled again.
    for (int pass = 0; pass < 2; pass++) {
      for (int m = 1; m <= 1100; m++) {
        if (pass == 0 || m % 100 == 0) {
          check(MatmulSpec.of(m, 1, 1, F32, F32, F32, false), x -> x);
        }
      }
    }
  }

  @Test
  void wrongCallsAreErrorsNotCrashes() {
    try (var arena = Arena.ofConfined()) {
      var spec = MatmulSpec.of(4, 4, 4, F32, F32, F32, false);
      MemorySegment enough = arena.allocate(64);
      MemorySegment small = arena.allocate(63);
      assertThrows(
          IllegalArgumentException.class, () -> OneDnn.matmul(spec, enough, small, enough));
      assertThrows(IllegalArgumentException.class, () -> OneDnn.matmul(spec, enough, null, enough));
      assertThrows(
          IllegalArgumentException.class,
          () -> OneDnn.matmul(spec, enough, enough, enough, Operands.bias(enough)));
      assertThrows(
          IllegalArgumentException.class,
          () -> OneDnn.matmul(spec, enough, enough, enough, Operands.NONE.withPostOps(enough)));
      assertThrows(
          IllegalArgumentException.class,
          () ->
              OneDnn.matmul(
                  spec.withPostOps(new Binary(Binary.Op.ADD, F32, Binary.Extent.EVERY_ELEMENT)),
                  enough,
                  enough,
                  enough));
      assertThrows(
          UnsupportedOperationException.class,
          () -> OneDnn.matmul(MatmulSpec.of(2, 2, 2, F32, S8, S8, false), enough, enough, enough));
      OneDnn.matmul(spec, enough, enough, enough);
    }
  }

  @Test
  void emptyProductsDoNothing() {
    OneDnn.matmul(
        MatmulSpec.of(0, 4, 4, F32, F32, F32, false),
        MemorySegment.NULL,
        MemorySegment.NULL,
        MemorySegment.NULL);
  }

  private static void check(MatmulSpec s, DoubleUnaryOperator activation) {
    boolean transposed = ((WeightLayout.Rows) s.layout()).transposed();
    int ldb = ((WeightLayout.Rows) s.layout()).ld();
    try (var arena = Arena.ofConfined()) {
      MemorySegment a = Matrices.random(arena, s.a(), (long) s.m() * s.lda(), 1);
      MemorySegment b = Matrices.random(arena, s.b(), (long) (transposed ? s.n() : s.k()) * ldb, 2);
      MemorySegment c = Matrices.random(arena, s.c(), (long) s.m() * s.ldc(), 3);
      MemorySegment before = arena.allocate(c.byteSize(), 64).copyFrom(c);
      OneDnn.matmul(s, a, b, c);
      for (int i = 0; i < s.m(); i++) {
        for (int j = 0; j < s.ldc(); j++) {
          long at = (long) i * s.ldc() + j;
          double expected = Matrices.get(before, s.c(), at);
          if (j < s.n()) {
            long start = transposed ? (long) j * ldb : j;
            expected =
                activation.applyAsDouble(
                    Matrices.dot(
                        a,
                        s.a(),
                        (long) i * s.lda(),
                        1,
                        b,
                        s.b(),
                        start,
                        transposed ? 1 : ldb,
                        s.k()));
          }
          Matrices.assertClose(
              expected,
              Matrices.get(c, s.c(), at),
              tolerance(s.a(), s.c(), s.k(), expected),
              s.toString());
        }
      }
    }
  }

  // Sums of s8 products are exact; those of floats lose a few bits, and bf16 results all but 8.
  private static double tolerance(ElementType a, ElementType c, int k, double value) {
    double sum = a == F32 || a == BF16 ? 2e-6 * k : 0;
    return c == BF16 ? sum + Math.abs(value) / 256 : sum;
  }
}
