package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import io.gatun.tensor.ops.Packing;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// What one asks of a tensor in jshell.
class TensorTest {
  private static final Arena ARENA = Arena.ofAuto();

  private static Tensor matrix() {
    return Tensor.ofFloats(ARENA, new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
  }

  @Test
  void smallMatricesArePrintedWhole() {
    assertEquals(
        """
        F32 (2, 3) min 1.000 max 6.000 mean 3.500
        [1.000, 2.000, 3.000]
        [4.000, 5.000, 6.000]\
        """,
        matrix().toString());
    assertEquals(
        """
        F32 (3, 2) min 1.000 max 6.000 mean 3.500
        [1.000, 4.000]
        [2.000, 5.000]
        [3.000, 6.000]\
        """,
        matrix().transpose(0, 1).toString());
    assertEquals(
        "F32 (3,) [4.000, 5.000, 6.000] min 4.000 max 6.000 mean 5.000",
        matrix().get(1).toString());
    assertEquals(
        "F32 () [6.000] min 6.000 max 6.000 mean 6.000", matrix().get(1).get(2).toString());
    assertEquals(
        "F32 (9, 2) [0.000, 0.000, 0.000, 0.000, 0.000, 0.000, ...] min 0.000 max 0.000 mean 0.000",
        Tensor.allocate(ARENA, DType.Plain.F32, 9, 2).toString());
  }

  @Test
  void closedMemoryIsSaidToBe() {
    Tensor t;
    try (var arena = Arena.ofConfined()) {
      t = Tensor.allocate(arena, DType.Plain.F32, 2, 2);
    }
    assertEquals("F32 (2, 2) [closed]", t.toString());
  }

  @Test
  void figures() {
    var t = matrix();
    assertEquals(21, t.sum());
    assertEquals(3.5, t.mean());
    assertEquals(6, t.max());
    assertEquals(1, t.min());
    assertEquals(5, t.argmax());
    assertEquals(1, t.transpose(0, 1).slice(0, 0, 1).argmax());
    var nan = t.map(x -> x == 3 ? Double.NaN : x);
    assertTrue(Float.isNaN(nan.max()) && Float.isNaN(nan.min()));
    assertThrows(IllegalArgumentException.class, nan::argmax);
    assertThrows(IllegalArgumentException.class, t.slice(0, 0, 0)::argmax);
  }

  @Test
  void arithmetic() {
    var t = matrix();
    var row = Tensor.ofFloats(ARENA, new float[] {10, 20, 30}, 3);
    assertArrayEquals(new float[] {11, 22, 33, 14, 25, 36}, t.plus(row).toFloats());
    assertArrayEquals(new float[] {-9, -18, -27, -6, -15, -24}, t.minus(row).toFloats());
    assertArrayEquals(new float[] {10, 40, 90, 40, 100, 180}, t.times(row).toFloats());
    assertArrayEquals(new float[] {2, 4, 6, 8, 10, 12}, t.plus(t).toFloats());
    assertArrayEquals(new float[] {1, 4, 9, 16, 25, 36}, t.map(x -> x * x).toFloats());
    assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6}, t.toFloats());
    assertEquals("(2, 3)", t.times(row).shape().toString());
    var e = assertThrows(IllegalArgumentException.class, () -> row.plus(t));
    assertTrue(e.getMessage().contains("(2, 3)"), e.getMessage());
  }

  @Test
  void matmul() {
    var t = matrix();
    assertArrayEquals(new float[] {14, 32, 32, 77}, t.matmul(t.transpose(0, 1)).toFloats());
    assertThrows(IllegalArgumentException.class, () -> t.matmul(t));
    assertThrows(IllegalArgumentException.class, () -> t.matmul(t.get(0)));
    assertEquals(0, t.slice(0, 0, 0).matmul(t.transpose(0, 1)).size());
  }

  /// Whatever the type, sums and products are those of its values.
  @Test
  void everyType() {
    var random = new Random(9);
    var values = new float[32 * 64];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    var floats = Tensor.ofFloats(ARENA, values, 32, 64);
    var x = floats.slice(0, 0, 3);
    try (var ops = new Ops(Backend.VECTOR, 1)) {
      for (var type :
          List.of(
              DType.Block.Q4_0, DType.Block.Q8_0, new DType.Tiled(4, 32), new DType.Tiled(8, 64))) {
        var t = Tensor.allocate(ARENA, type, 32, 64);
        Packing.convert(
            ops.workers(),
            floats,
            type,
            part -> MemorySegment.copy(part, 0, t.segment(), 0, part.byteSize()));
        float[] plain = t.toFloats();
        double sum = 0;
        for (float v : plain) {
          sum += v;
        }
        assertEquals(sum, t.sum(), 1e-9, type.name());
        var dense = Tensor.ofFloats(ARENA, plain, 32, 64);
        assertArrayEquals(dense.plus(floats).toFloats(), t.plus(floats).toFloats(), type.name());
        float[] expected = x.matmul(dense.transpose(0, 1)).toFloats();
        try (var _ = ops.scope()) {
          assertArrayEquals(ops.linear(x, dense).toFloats(), expected, 1e-4f, type.name());
        }
        assertArrayEquals(t.matmul(x.transpose(0, 1)).toFloats(), transposed(expected), 1e-4f);
      }
    }
  }

  private static float[] transposed(float[] m) {
    return Tensor.ofFloats(ARENA, m, 3, 32).transpose(0, 1).toFloats();
  }

  @Test
  void copiesHaveNoGaps() {
    var t = matrix().transpose(0, 1);
    var copy = t.copy(ARENA);
    assertTrue(copy.isContiguous());
    assertEquals("[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]", Arrays.toString(copy.toFloats()));
    assertEquals("(6,)", copy.reshape(6).shape().toString());
    var e = assertThrows(IllegalArgumentException.class, () -> t.reshape(6));
    assertTrue(e.getMessage().contains("copy(arena)"), e.getMessage());
  }
}
