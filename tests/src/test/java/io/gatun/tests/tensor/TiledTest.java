package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.tensor.DType.Tiled;
import io.gatun.tensor.Shape;
import io.gatun.tensor.kernel.QuantizedRows;
import io.gatun.tensor.kernel.ScalarTiled;
import io.gatun.tensor.kernel.TiledInt4;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The vector kernels of tiled weights agree with the scalar ones.
class TiledTest {
  @ParameterizedTest
  @CsvSource({
    "32, 1, 32", "32, 31, 96", "32, 33, 64", "32, 160, 2048", "32, 207, 1056",
    "64, 32, 64", "64, 97, 320", "128, 64, 128", "128, 130, 1408"
  })
  void int4(int groupSize, int rows, int columns) {
    for (int count : new int[] {1, 2, 4, 7}) {
      agrees(new Tiled(4, groupSize), rows, columns, count);
    }
  }

  private static void agrees(Tiled type, int rows, int columns, int count) {
    SplittableRandom random = new SplittableRandom(rows * 31L + columns);
    int tiles = Math.ceilDiv(rows, Tiled.ROWS);
    long stride = tiles * Tiled.ROWS * 4L;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment w = arena.allocate(type.byteSize(Shape.of(rows, columns)));
      for (long i = 0; i < w.byteSize(); i++) {
        w.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt());
      }
      long block = (long) type.blockBytes() * Tiled.ROWS;
      for (long at = 0; at < w.byteSize(); at += block) {
        for (int lane = 0; lane < Tiled.ROWS; lane++) {
          short scale = Float.floatToFloat16((float) random.nextDouble(-0.02, 0.02));
          w.set(ValueLayout.JAVA_SHORT_UNALIGNED, at + lane * 2, scale);
        }
      }
      MemorySegment x = arena.allocate(columns * 4L * count);
      for (long i = 0; i < x.byteSize(); i += 4) {
        x.set(ValueLayout.JAVA_FLOAT_UNALIGNED, i, (float) random.nextDouble(-3, 3));
      }
      long rowBytes = QuantizedRows.rowBytes(columns);
      MemorySegment q = arena.allocate(rowBytes * count);
      for (int m = 0; m < count; m++) {
        QuantizedRows.quantize(x, m * columns * 4L, q, m * rowBytes, columns, type.bits());
      }
      MemorySegment expected = arena.allocate(stride * count);
      MemorySegment y = arena.allocate(stride * count);
      ScalarTiled.multiply(type, w, 0, q, 0, count, columns, 0, tiles, expected, 0, stride);
      MemorySegment scratch = arena.allocate(TiledInt4.SCRATCH_BYTES);
      int middle = tiles / 2;
      TiledInt4.multiply(type, w, 0, q, 0, count, columns, 0, middle, y, 0, stride, scratch);
      TiledInt4.multiply(type, w, 0, q, 0, count, columns, middle, tiles, y, 0, stride, scratch);
      for (long i = 0; i < y.byteSize(); i += 4) {
        float e = expected.get(ValueLayout.JAVA_FLOAT_UNALIGNED, i);
        float a = y.get(ValueLayout.JAVA_FLOAT_UNALIGNED, i);
        assertEquals(e, a, 1e-6 * columns, "element " + i / 4);
      }
    }
  }
}
