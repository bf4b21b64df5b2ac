package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Dequantize;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tests.Processes;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// MXFP4 in the two layouts that files have: the values are those of GGUF's layout as [Dequantize]
/// makes them, and products are those of the values.
@Execution(ExecutionMode.CONCURRENT)
class Mxfp4Test {
  private static final int ROWS = 131;

  /// Vectors, and a part of one.
  private static final int COLUMNS = 352;

  /// The same weights in both layouts, and their values.
  private record Weights(Tensor gguf, Tensor pairs, float[] values) {
    static Weights random(Arena arena) {
      var random = new SplittableRandom(5);
      int groups = ROWS * COLUMNS / 32;
      var gguf = Tensor.allocate(arena, DType.Block.MXFP4, ROWS, COLUMNS);
      var blocks = Tensor.allocate(arena, DType.Plain.U8, ROWS, COLUMNS / 32, 16);
      var scales = Tensor.allocate(arena, DType.Plain.U8, ROWS, COLUMNS / 32);
      for (int g = 0; g < groups; g++) {
        // The smallest scales are subnormal.
        byte scale = (byte) (g < 3 ? g : random.nextInt(110, 140));
        gguf.segment().set(ValueLayout.JAVA_BYTE, g * 17L, scale);
        scales.segment().set(ValueLayout.JAVA_BYTE, g, scale);
        int[] codes = random.ints(32, 0, 16).toArray();
        for (int j = 0; j < 16; j++) {
          byte halves = (byte) (codes[j] | codes[16 + j] << 4);
          byte pair = (byte) (codes[2 * j] | codes[2 * j + 1] << 4);
          gguf.segment().set(ValueLayout.JAVA_BYTE, g * 17L + 1 + j, halves);
          blocks.segment().set(ValueLayout.JAVA_BYTE, g * 16L + j, pair);
        }
      }
      var values = Tensor.allocate(arena, DType.Plain.F32, ROWS, COLUMNS);
      Dequantize.toFloat(DType.Block.MXFP4, gguf.segment(), 0, values.segment(), 0, values.size());
      return new Weights(gguf, Tensor.scaled(blocks, scales), values.toFloats());
    }
  }

  @Test
  void productsAreThoseOfTheValues() {
    checkAll();
  }

  /// The same in a new JVM, since a JVM has one vector width.
  @ParameterizedTest
  @ValueSource(ints = {16, 32})
  void atEveryVectorWidth(int bytes) throws Exception {
    var result =
        Processes.run(Processes.java(Mxfp4Test.class, List.of("-XX:MaxVectorSize=" + bytes)));
    assertEquals(0, result.code(), result.out() + result.err());
  }

  /// Runs the checks without JUnit.
  public static void main(String[] args) {
    checkAll();
  }

  private static void checkAll() {
    try (var arena = Arena.ofShared()) {
      var weights = Weights.random(arena);
      assertArrayEquals(weights.values, weights.pairs.toFloats());
      var random = new SplittableRandom(6);
      for (int rows : new int[] {1, 3, 20}) {
        var x = Tensor.allocate(arena, DType.Plain.F32, rows, COLUMNS);
        for (long i = 0; i < x.size(); i++) {
          x.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextDouble(-2, 2));
        }
        for (var backend : Backend.values()) {
          try (var ops = new Ops(backend, 2)) {
            for (var w : List.of(weights.gguf, weights.pairs)) {
              check(x.toFloats(), weights.values, ops.linear(x, w), backend + " " + w.dtype());
            }
          }
        }
      }
    }
  }

  private static void check(float[] x, float[] w, Tensor y, String what) {
    float[] found = y.toFloats();
    for (int t = 0; t < y.dim(0); t++) {
      for (int n = 0; n < ROWS; n++) {
        double sum = 0;
        double size = 0;
        for (int k = 0; k < COLUMNS; k++) {
          double product = (double) x[t * COLUMNS + k] * w[n * COLUMNS + k];
          sum += product;
          size += Math.abs(product);
        }
        double difference = Math.abs(found[t * ROWS + n] - sum);
        assertTrue(difference <= 1e-6 * size, what + " row " + n + " differs by " + difference);
      }
    }
  }

  @Test
  void viewsTakeTheirScalesAlong() {
    try (var arena = Arena.ofShared()) {
      var weights = Weights.random(arena);
      var stack = weights.pairs.reshape(1, ROWS, COLUMNS);
      float[] row = stack.get(0).slice(0, 7, 8).toFloats();
      for (int k = 0; k < COLUMNS; k++) {
        assertEquals(weights.values[7 * COLUMNS + k], row[k]);
        assertEquals(row[k], stack.getFloat(0, 7, k));
      }
      float[] end = weights.pairs.slice(0, 7, 8).slice(1, 64, 96).copy(arena).toFloats();
      assertEquals(row[64], end[0]);
      assertEquals(row[95], end[31]);
      assertThrows(IllegalArgumentException.class, () -> weights.pairs.slice(1, 16, 48));
    }
  }

  @Test
  void partsThatDoNotFitAreRefused() {
    try (var arena = Arena.ofShared()) {
      var blocks = Tensor.allocate(arena, DType.Plain.U8, 4, 2, 16);
      for (var scales : List.of(Shape.of(4, 3), Shape.of(2, 4), Shape.of(8))) {
        var wrong = Tensor.allocate(arena, DType.Plain.U8, scales.dims());
        assertThrows(IllegalArgumentException.class, () -> Tensor.scaled(blocks, wrong));
      }
      var floats = Tensor.allocate(arena, DType.Plain.F32, 4, 2);
      assertThrows(IllegalArgumentException.class, () -> Tensor.scaled(blocks, floats));
    }
  }
}
