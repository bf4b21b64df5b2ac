package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.ggml.Dequantize;
import io.gatun.tensor.kernel.ggml.LowBitDots;
import io.gatun.tensor.kernel.ggml.RowDots;
import io.gatun.tests.Processes;
import io.gatun.tests.Processes.Result;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Dot products of rows as stored against those of the rows as [Dequantize] makes them.
class RowDotsTest {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
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
    assertFalse(RowDots.supports(DType.Block.Q4_K, 128));
    assertFalse(RowDots.supports(DType.Block.Q8_1, 256));
    assertFalse(LowBitDots.supports(DType.Block.IQ2_S, 128));
    assertFalse(LowBitDots.supports(DType.Block.Q4_K, 256));
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
      boolean table = type == DType.Block.IQ4_NL || type == DType.Block.IQ4_XS;
      if (table && !RowDots.supports(type, 256)) {
        continue; // the vectors are too small for the table
      }
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
      var x = arena.allocate(4L * k);
      var floats = arena.allocate(4L * k);
      var y = arena.allocate(4 * (rows + 1));
      y.set(FLOAT, 0, 77);
      for (long i = 0; i < k; i++) {
        x.set(FLOAT, 4 * i, (float) random.nextDouble(-2, 2));
      }
      if (LowBitDots.supports(type, k)) {
        var scratch = arena.allocate(LowBitDots.scratchBytes(k));
        var block = (DType.Block) type;
        LowBitDots.multiply(block, w, k, x, 1, 1, rows, y, 0, scratch, 0);
      } else {
        RowDots.multiply(type, w, 0, k, x, 0, 1, rows, y, 0);
      }
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
