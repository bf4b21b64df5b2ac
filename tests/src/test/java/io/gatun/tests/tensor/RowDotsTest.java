package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.ggml.BlockDots;
import io.gatun.tensor.kernel.ggml.Dequantize;
import io.gatun.tensor.kernel.ggml.RowDots;
import io.gatun.tests.Processes;
import io.gatun.tests.Processes.Result;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Dot products of rows as stored against those of the rows as [Dequantize] makes them.
class RowDotsTest {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /// Rows of activations: four together, and one more.
  private static final int MOST = 5;

  private static final DType[] TYPES = {
    DType.Plain.F16,
    DType.Plain.BF16,
    DType.Block.Q4_0,
    DType.Block.Q4_1,
    DType.Block.Q5_0,
    DType.Block.Q5_1,
    DType.Block.Q8_0,
    DType.Block.Q4_K,
    DType.Block.Q5_K,
    DType.Block.Q6_K,
    DType.Block.Q2_K,
    DType.Block.IQ4_NL,
    DType.Block.IQ4_XS,
    DType.Block.IQ1_S,
    DType.Block.IQ1_M,
    DType.Block.IQ2_XXS,
    DType.Block.IQ2_XS,
    DType.Block.IQ2_S,
    DType.Block.IQ3_XXS,
    DType.Block.IQ3_S,
    DType.Block.TQ1_0,
    DType.Block.TQ2_0,
    DType.Block.Q1_0,
    DType.Block.Q2_0,
    DType.Block.Q3_K
  };

  @Test
  void agreesWithUnpackedRows() {
    checkAll();
  }

  /// The same in a new JVM, since a JVM has one vector width.
  @ParameterizedTest
  @ValueSource(ints = {16, 32, 64})
  void agreesAtEveryVectorWidth(int bytes) throws Exception {
    Result result =
        Processes.run(Processes.java(RowDotsTest.class, List.of("-XX:MaxVectorSize=" + bytes)));
    assertEquals(0, result.code(), result.out() + result.err());
  }

  /// Runs the checks without JUnit.
  public static void main(String[] args) {
    checkAll();
  }

  @Test
  void refusesWhatItCannotDo() {
    assertFalse(RowDots.supports(DType.Plain.F16, 207));
    assertFalse(RowDots.supports(DType.Block.Q4_0, 80));
    assertFalse(RowDots.supports(DType.Block.Q8_1, 256));
    assertFalse(BlockDots.supports(DType.Block.IQ2_S, 128));
    assertFalse(BlockDots.supports(DType.Block.MXFP4, 256));
    try (var arena = Arena.ofConfined()) {
      var s = arena.allocate(1024);
      assertThrows(
          IllegalArgumentException.class,
          () -> RowDots.multiply(DType.Plain.F16, s, 0, 207, s, 0, 0, 1, s, 0));
      assertThrows(
          IndexOutOfBoundsException.class,
          () -> RowDots.multiply(DType.Plain.F16, s, 0, 256, s, 0, 0, 3, s, 0));
    }
  }

  private static void checkAll() {
    for (DType type : TYPES) {
      int unit = Math.max(16, type.blockSize());
      for (int blocks : new int[] {1, 2, 3, 7, 8, 33}) {
        check(type, blocks * unit);
      }
    }
  }

  private static void check(DType type, int k) {
    int rows = 3;
    var random = new SplittableRandom(k);
    long rowBytes = (long) k / type.blockSize() * type.blockBytes();
    try (var arena = Arena.ofConfined()) {
      // At an odd offset and with nothing behind, so that reading on is caught by a crash at most.
      var w = arena.allocate(rows * rowBytes + 1).asSlice(1);
      for (long i = 0; i < w.byteSize(); i++) {
        // Half of all exponents, so no F16 or BF16 is infinite.
        w.set(ValueLayout.JAVA_BYTE, i, (byte) (random.nextInt() & 0xBF));
      }
      var x = arena.allocate(4L * MOST * k);
      for (long i = 0; i < MOST * k; i++) {
        x.set(FLOAT, 4 * i, (float) random.nextDouble(-2, 2));
      }
      if (RowDots.supports(type, k)) {
        var y = arena.allocate(4 * rows);
        y.set(FLOAT, 0, 77);
        RowDots.multiply(type, w, 0, k, x, 0, 1, rows, y, 0);
        compare(type, k, w, x, y, rows);
      }
      if (BlockDots.supports(type, k)) {
        checkBlocks((DType.Block) type, k, w, x, rows);
      }
    }
  }

  /// One row of activations, and others, of which each has the same products to the bit.
  private static void checkBlocks(
      DType.Block type, int k, MemorySegment w, MemorySegment x, int rows) {
    try (var arena = Arena.ofConfined()) {
      int groups = BlockDots.minima(type, k);
      var sums = arena.allocate(4L * MOST * groups + 4);
      for (int i = 0; i < MOST * groups; i++) {
        int size = k / groups;
        float sum = 0;
        for (long j = 0; j < size; j++) {
          sum += x.get(FLOAT, 4 * (i * (long) size + j));
        }
        sums.set(FLOAT, 4L * i, sum);
      }
      var scratch = arena.allocate(BlockDots.scratchBytes(k));
      var alone = arena.allocate(4L * MOST * rows);
      for (int t = 0; t < MOST; t++) {
        var a = x.asSlice(4L * t * k);
        var y = alone.asSlice(4L * t * rows, 4L * rows);
        y.set(FLOAT, 0, 77);
        var s = sums.asSlice(4L * t * groups);
        BlockDots.multiply(type, w, k, a, s, 1, 1, rows, y, 0, scratch, 0);
        compare(type, k, w, a, y, rows);
      }
      for (int count = 2; count <= MOST; count++) {
        var y = arena.allocate(4L * MOST * rows);
        for (int t = 0; t < MOST; t++) {
          y.set(FLOAT, 4L * t * rows, 77);
        }
        BlockDots.multiply(type, w, k, x, sums, count, 1, rows, y, 4L * rows, scratch, 0);
        long bytes = 4L * count * rows;
        if (y.asSlice(0, bytes).mismatch(alone.asSlice(0, bytes)) >= 0) {
          throw new AssertionError(
              "%s x %d: %d rows have other products than each alone"
                  .formatted(type.name(), k, count));
        }
      }
    }
  }

  private static void compare(
      DType type, int k, MemorySegment w, MemorySegment x, MemorySegment y, int rows) {
    long rowBytes = (long) k / type.blockSize() * type.blockBytes();
    try (var arena = Arena.ofConfined()) {
      var floats = arena.allocate(4L * k);
      for (int n = 1; n < rows; n++) {
        Dequantize.toFloat(type, w, n * rowBytes, floats, 0, k);
        double sum = 0;
        double size = 0;
        for (long i = 0; i < k; i++) {
          double product = (double) floats.get(FLOAT, 4 * i) * x.get(FLOAT, 4 * i);
          sum += product;
          size += Math.abs(product);
        }
        float actual = y.get(FLOAT, 4L * n);
        if (!(Math.abs(actual - sum) <= 1e-6 * size)) {
          throw new AssertionError(
              "%s x %d: row %d is %s; need %s".formatted(type.name(), k, n, actual, sum));
        }
      }
      if (y.get(FLOAT, 0) != 77) {
        throw new AssertionError(type.name() + ": a row that was not asked for was written");
      }
    }
  }
}
