package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Dequantize;
import io.gatun.tensor.kernel.ggml.Quantize;
import io.gatun.tensor.kernel.tiled.TiledLayout;
import io.gatun.tensor.kernel.tiled.TiledPack;
import io.gatun.tensor.kernel.tiled.TiledRows;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TiledTest {
  private static final int ROWS = 39;
  private static final int COLUMNS = 256;

  @Test
  void scalesAndIntegersAreWhereTheLayoutSays() {
    var type = new DType.Tiled(4, 32);
    var rows = new float[32 * 64];
    // Row 17, columns 32..: second tile, lane 3. The element -8 makes the scale 1.
    rows[17 * 64 + 32] = -8;
    rows[17 * 64 + 32 + 5] = 3;
    byte[] packed = pack(type, rows, 32, 64);
    int tile = 32 * 18;
    assertEquals(0x3C, packed[tile + 3 * 2 + 1], "the upper byte of 1 in F16");
    assertEquals(0x80, packed[tile + 64 + 3 * 2] & 0xFF, "columns 0 and 1 of the group: -8 and 0");
    assertEquals(0xB8 - 0x100, packed[tile + 64 + 64 + 3 * 2], "columns 4 and 5: 0 and 3");

    byte[] packed8 = pack(new DType.Tiled(8, 32), rows, 32, 64);
    int tile8 = 32 * 34;
    assertEquals(-127, packed8[tile8 + 64 + 3 * 2]);
    assertEquals(48, packed8[tile8 + 64 + 2 * 64 + 3 * 2 + 1], "column 5: 3 / 8 of 127");
  }

  @Test
  void rowsByVectorsAreThoseOfTheLayout() {
    var random = new Random(5);
    try (var arena = Arena.ofConfined()) {
      for (var type :
          new DType.Tiled[] {
            new DType.Tiled(4, 32),
            new DType.Tiled(4, 128),
            DType.Tiled.of(DType.Tiled.Form.MINIMA),
            DType.Tiled.of(DType.Tiled.Form.IQ2),
            DType.Tiled.of(DType.Tiled.Form.Q3_K),
            new DType.Tiled(8, 64)
          }) {
        var bytes = new byte[(int) type.byteSize(Shape.of(ROWS, COLUMNS))];
        random.nextBytes(bytes);
        var w = arena.allocate(bytes.length).copyFrom(MemorySegment.ofArray(bytes));
        var expected = arena.allocate(4L * ROWS * COLUMNS);
        var actual = arena.allocate(4L * ROWS * COLUMNS);
        TiledLayout.toFloat(type, w, COLUMNS, 0, ROWS, expected, 0);
        TiledRows.toFloat(type, w, COLUMNS, 0, 5, actual, 0);
        TiledRows.toFloat(type, w, COLUMNS, 5, ROWS, actual, 4L * 5 * COLUMNS);
        // By their values: what NaN looks like is nobody's business.
        assertArrayEquals(
            expected.toArray(ValueLayout.JAVA_FLOAT),
            actual.toArray(ValueLayout.JAVA_FLOAT),
            type.name());
      }
    }
  }

  /// The least int4 scale tried is a ninth of the greatest magnitude; where that is negative, an
  /// element as great but positive is cut off at 7 ninths. Int8 has half a step of 127.
  @ParameterizedTest
  @CsvSource({
    "4, 32, 0.223",
    "4, 64, 0.223",
    "4, 128, 0.223",
    "8, 32, 0.005",
    "8, 64, 0.005",
    "8, 128, 0.005"
  })
  void quantizedRowsAreNearTheirFloats(int bits, int groupSize, double share) {
    var type = new DType.Tiled(bits, groupSize);
    float[] rows = randomRows();
    byte[] packed = pack(type, rows, ROWS, COLUMNS);
    float[] back = unpack(type, packed, ROWS);
    for (int group = 0; group < rows.length / groupSize; group++) {
      float max = 0;
      float error = 0;
      for (int i = group * groupSize; i < (group + 1) * groupSize; i++) {
        max = Math.max(max, Math.abs(rows[i]));
        error = Math.max(error, Math.abs(rows[i] - back[i]));
      }
      assertTrue(error <= share * max, "group " + group + ": error " + error + " of " + max);
    }
    float[] padding = unpack(type, packed, 64);
    for (int i = ROWS * COLUMNS; i < padding.length; i++) {
      assertEquals(0, padding[i]);
    }
    try (var arena = Arena.ofConfined()) {
      var tensor = Tensor.of(QuantVectors.nativeCopy(arena, packed), type, Shape.of(ROWS, COLUMNS));
      assertArrayEquals(back, tensor.toFloats());
      assertEquals(back[20 * COLUMNS + 133], tensor.getFloat(20, 133));
    }
  }

  @Test
  void theSearchForInt4ScalesBeatsQ4() {
    float[] rows = randomRows();
    double tiled = squaredError(rows, roundTrip(new DType.Tiled(4, 32), rows));
    double q4 = squaredError(rows, dequantize(DType.Block.Q4_0, quantize(DType.Block.Q4_0, rows)));
    assertTrue(tiled < 0.95 * q4, tiled + " against " + q4);
  }

  @ParameterizedTest
  @CsvSource({
    "Q4_0, INT4_G32",
    "Q8_0, INT8_G32",
    "Q4_K, INT4_G32_MIN",
    "IQ1_S, INT4_G16_IQ1",
    "IQ1_M, INT4_G16_IQ1",
    "IQ2_XXS, INT4_G16_IQ2",
    "IQ2_XS, INT4_G16_IQ2",
    "IQ2_S, INT4_G16_IQ2",
    "IQ3_XXS, INT4_G16_IQ3_XXS",
    "IQ3_S, INT4_G16_IQ3_S",
    "Q3_K, INT4_G16_Q3_K"
  })
  void repackingKeepsEveryValue(DType.Block blocks, String name) {
    var type = TiledPack.tiledTypeOf(blocks);
    assertEquals(name, type.name());
    assertEquals(type, DType.Tiled.parse(name));
    byte[] quantized =
        blocks.blockSize() == 256 ? randomBlocks(blocks) : quantize(blocks, randomRows());
    byte[] packed = new byte[size(type, ROWS, COLUMNS)];
    TiledPack.fromBlocks(
        blocks,
        MemorySegment.ofArray(quantized),
        0,
        ROWS,
        COLUMNS,
        MemorySegment.ofArray(packed),
        0);
    assertArrayEquals(dequantize(blocks, quantized), unpack(type, packed, ROWS));
  }

  @Test
  void otherBlocksAreNotRepacked() {
    assertNull(TiledPack.tiledTypeOf(DType.Block.Q6_K));
  }

  private static float[] randomRows() {
    var random = new Random(7);
    var rows = new float[ROWS * COLUMNS];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = (float) random.nextGaussian();
    }
    return rows;
  }

  /// Random bytes with scales that are not huge.
  private static byte[] randomBlocks(DType.Block type) {
    var blocks = new byte[ROWS * COLUMNS / 256 * type.blockBytes()];
    new Random(8).nextBytes(blocks);
    int scale =
        switch (type) {
          case Q3_K -> 108;
          case IQ1_M -> 54; // has the scale's highest bits
          default -> 0;
        };
    for (int i = 0; i < blocks.length; i += type.blockBytes()) {
      blocks[i + scale + 1] &= 0x2F;
      if (type == DType.Block.Q4_K) {
        blocks[i + 3] &= 0x2F;
      }
    }
    return blocks;
  }

  private static float[] roundTrip(DType.Tiled type, float[] rows) {
    return unpack(type, pack(type, rows, ROWS, COLUMNS), ROWS);
  }

  /// Packs into memory full of ones, so that a byte left out shows.
  private static byte[] pack(DType.Tiled type, float[] rows, int n, int k) {
    byte[] packed = new byte[size(type, n, k)];
    var dst = MemorySegment.ofArray(packed).fill((byte) -1);
    TiledPack.fromFloat(type, MemorySegment.ofArray(rows), 0, n, k, dst, 0);
    return packed;
  }

  private static float[] unpack(DType.Tiled type, byte[] packed, int n) {
    var values = new float[n * COLUMNS];
    TiledLayout.toFloat(
        type, MemorySegment.ofArray(packed), COLUMNS, 0, n, MemorySegment.ofArray(values), 0);
    return values;
  }

  private static int size(DType.Tiled type, int n, int k) {
    return (int) type.byteSize(Shape.of(n, k));
  }

  private static byte[] quantize(DType.Block type, float[] values) {
    byte[] blocks = new byte[values.length / type.blockSize() * type.blockBytes()];
    Quantize.fromFloat(
        type, MemorySegment.ofArray(values), 0, MemorySegment.ofArray(blocks), 0, values.length);
    return blocks;
  }

  private static float[] dequantize(DType.Block type, byte[] blocks) {
    var values = new float[blocks.length / type.blockBytes() * type.blockSize()];
    Dequantize.toFloat(
        type, MemorySegment.ofArray(blocks), 0, MemorySegment.ofArray(values), 0, values.length);
    return values;
  }

  private static double squaredError(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (a[i] - b[i]) * (double) (a[i] - b[i]);
    }
    return sum;
  }
}
