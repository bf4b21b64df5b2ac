package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tensor.kernel.ggml.Dequantize;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashSet;
import org.junit.jupiter.api.Test;

class DequantizeTest {
  @Test
  void everyBlockTypeIsBitExactWithGgml() throws Exception {
    var seen = new HashSet<DType>();
    for (var entry : QuantVectors.manifest().properties()) {
      String name = entry.getKey();
      DType type = QuantVectors.type(name);
      if (!Dequantize.supports(type)) {
        continue;
      }
      seen.add(type);
      try (var arena = Arena.ofConfined()) {
        var blocks = QuantVectors.nativeCopy(arena, QuantVectors.file(name + ".blocks.bin"));
        int n = entry.getValue().get("values").asInt();
        var out = arena.allocate(n * 4L);
        Dequantize.toFloat(type, blocks, 0, out, 0, n);
        assertArrayEquals(
            QuantVectors.file(name + ".expected.f32.bin"),
            out.toArray(ValueLayout.JAVA_BYTE),
            name);
        // The same through a tensor, from the middle on.
        var tensor = Tensor.of(blocks, type, Shape.of(2, n / 2));
        assertEquals(
            out.getAtIndex(ValueLayout.JAVA_FLOAT, n - 3), tensor.getFloat(1, n / 2 - 3), name);
        assertEquals(n, tensor.toFloats().length);
      }
    }
    assertEquals(26, seen.size(), "types checked: " + seen);
  }

  @Test
  void sizesAreThoseOfGgml() throws Exception {
    int types = 0;
    for (var entry : QuantVectors.manifest().properties()) {
      DType type = QuantVectors.type(entry.getKey());
      assertEquals(entry.getValue().get("block_size").asInt(), type.blockSize(), type.name());
      assertEquals(entry.getValue().get("type_size").asInt(), type.blockBytes(), type.name());
      types++;
    }
    assertEquals(26, types);
  }

  @Test
  void typesWithoutSupportSayWhatToDo() {
    for (var type : DType.Block.values()) {
      // Its scales are elsewhere: see Mxfp4Test.
      assertEquals(type != DType.Block.MXFP4_PAIRS, Dequantize.supports(type), type.name());
    }
    var unknown = new DType.Unknown("GGUF_TYPE_77", 300);
    var e =
        assertThrows(
            UnsupportedOperationException.class,
            () -> Dequantize.toFloat(unknown, MemorySegment.NULL, 0, MemorySegment.NULL, 0, 1));
    assertTrue(e.getMessage().contains("GGUF_TYPE_77"), e.getMessage());
    assertTrue(e.getMessage().contains("use the same model in"), e.getMessage());
    assertTrue(printed(unknown).contains("not readable"));
    assertFalse(Dequantize.supports(DType.Plain.C64));
  }

  @Test
  void smallFloatsFollowTheirSpecifications() {
    // OCP OFP8 1.0, table 1: largest, smallest normal and smallest subnormal numbers.
    assertArrayEquals(
        new float[] {448, 0.015625f, 0.001953125f, -448, Float.NaN, -0f},
        convert(DType.Plain.F8_E4M3, bytes(0x7E, 0x08, 0x01, 0xFE, 0xFF, 0x80)));
    assertArrayEquals(
        new float[] {57344, 0x1p-14f, 0x1p-16f, Float.NEGATIVE_INFINITY, Float.NaN},
        convert(DType.Plain.F8_E5M2, bytes(0x7B, 0x04, 0x01, 0xFC, 0x7D)));
    assertArrayEquals(
        new float[] {0x1p-127f, 1, 0x1p127f, Float.NaN},
        convert(DType.Plain.F8_E8M0, bytes(0, 127, 254, 255)));
    // OCP Microscaling 1.0: 7.5 and 28 are the largest numbers of F6, 6 that of F4.
    assertArrayEquals(
        new float[] {7.5f, -7.5f, 0.125f, 1},
        convert(DType.Plain.F6_E2M3, sixBits(0b011111, 0b111111, 0b000001, 0b001000)));
    assertArrayEquals(
        new float[] {28, -28, 0.0625f, 1},
        convert(DType.Plain.F6_E3M2, sixBits(0b011111, 0b111111, 0b000001, 0b001100)));
    assertArrayEquals(
        new float[] {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0f, -0.5f, -1, -1.5f, -2, -3, -4, -6},
        convert(DType.Plain.F4, bytes(0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE)));
  }

  @Test
  void integersAndDoublesConvert() {
    assertArrayEquals(new float[] {-1, 127}, convert(DType.Plain.I8, bytes(255, 127)));
    assertArrayEquals(new float[] {255, 1}, convert(DType.Plain.U8, bytes(255, 1)));
    assertArrayEquals(new float[] {-2, 256}, convert(DType.Plain.I16, bytes(254, 255, 0, 1)));
    assertArrayEquals(new float[] {65534}, convert(DType.Plain.U16, bytes(254, 255)));
    assertArrayEquals(new float[] {-1}, convert(DType.Plain.I32, bytes(255, 255, 255, 255)));
    assertArrayEquals(new float[] {0x1p32f}, convert(DType.Plain.U32, bytes(255, 255, 255, 255)));
    byte[] minusOne = bytes(255, 255, 255, 255, 255, 255, 255, 255);
    assertArrayEquals(new float[] {-1}, convert(DType.Plain.I64, minusOne));
    assertArrayEquals(new float[] {0x1p64f}, convert(DType.Plain.U64, minusOne));
    assertArrayEquals(
        new float[] {-1.5f}, convert(DType.Plain.F64, bytes(0, 0, 0, 0, 0, 0, 0xF8, 0xBF)));
  }

  @Test
  void ternaryAndExponentBlocksFollowTheirLayout() {
    // MXFP4: exponent 128 is a scale of 2; nibbles 1 (0.5) first and 15 (-6) in the second half.
    byte[] mxfp4 = new byte[17];
    mxfp4[0] = (byte) 128;
    mxfp4[1] = (byte) 0xF1;
    float[] values = convert(DType.Block.MXFP4, mxfp4);
    assertEquals(1f, values[0]);
    assertEquals(-12f, values[16]);

    // TQ2_0: byte 33 holds the elements 129, 161, 193 and 225.
    byte[] tq2 = new byte[66];
    tq2[33] = 0b00_01_10_00;
    tq2[65] = 0x40; // 2 in F16
    values = convert(DType.Block.TQ2_0, tq2);
    assertArrayEquals(
        new float[] {-2, 2, 0, -2},
        new float[] {values[129], values[161], values[193], values[225]});

    // TQ1_0: the digits 2 1 0 2 1, as a fraction of 243, scaled to 256 and rounded up.
    byte[] tq1 = new byte[54];
    int number = 2 * 81 + 9 * 0 + 27 + 2 * 3 + 1;
    tq1[0] = (byte) ((number * 256 + 242) / 243);
    tq1[53] = 0x40;
    values = convert(DType.Block.TQ1_0, tq1);
    assertArrayEquals(
        new float[] {2, 0, -2, 2, 0},
        new float[] {values[0], values[32], values[64], values[96], values[128]});
  }

  @Test
  void partsOfBlocksAreRefused() {
    assertThrows(
        IllegalArgumentException.class,
        () ->
            Dequantize.toFloat(DType.Block.Q4_0, MemorySegment.NULL, 0, MemorySegment.NULL, 0, 33));
  }

  private static float[] convert(DType type, byte[] bytes) {
    int n = bytes.length / type.blockBytes() * type.blockSize();
    var values = new float[n];
    Dequantize.toFloat(type, MemorySegment.ofArray(bytes), 0, MemorySegment.ofArray(values), 0, n);
    return values;
  }

  private static String printed(DType type) {
    try (var arena = Arena.ofConfined()) {
      return Tensor.allocate(arena, type, type.blockSize()).toString();
    }
  }

  private static byte[] bytes(int... values) {
    var bytes = new byte[values.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return bytes;
  }

  private static byte[] sixBits(int a, int b, int c, int d) {
    int word = a | b << 6 | c << 12 | d << 18;
    return bytes(word, word >> 8, word >> 16);
  }
}
