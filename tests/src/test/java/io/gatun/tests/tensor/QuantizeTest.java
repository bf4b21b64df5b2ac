package io.gatun.tests.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tensor.DType;
import io.gatun.tensor.kernel.ggml.Dequantize;
import io.gatun.tensor.kernel.ggml.Quantize;
import io.gatun.tensor.kernel.ggml.Unpack;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class QuantizeTest {
  private static final int VALUES = 8 * 256;

  @ParameterizedTest
  @EnumSource(
      value = DType.Block.class,
      names = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"})
  void blocksAreThoseOfGgml(DType.Block type) throws Exception {
    var floats = MemorySegment.ofArray(QuantVectors.file("quantize_input_8x256.f32.bin"));
    byte[] blocks = new byte[VALUES / type.blockSize() * type.blockBytes()];
    Quantize.fromFloat(type, floats, 0, MemorySegment.ofArray(blocks), 0, VALUES);
    byte[] expected = QuantVectors.file("quantize_" + type.name() + ".expected.bin");
    assertArrayEquals(expected, blocks);
  }

  @Test
  void bf16IsRoundedAsByGgml() throws Exception {
    try (var arena = Arena.ofConfined()) {
      var floats =
          QuantVectors.nativeCopy(arena, QuantVectors.file("quantize_input_8x256.f32.bin"));
      var out = arena.allocate(VALUES * 2);
      Unpack.floatToBf16(floats, 0, out, 0, VALUES);
      assertArrayEquals(
          QuantVectors.file("quantize_BF16.expected.bin"), out.toArray(ValueLayout.JAVA_BYTE));
    }
  }

  @Test
  void zerosStayZeros() {
    for (var type : DType.Block.values()) {
      if (Quantize.supports(type)) {
        int n = type.blockSize();
        byte[] block = new byte[type.blockBytes()];
        var values = new float[n];
        Quantize.fromFloat(
            type, MemorySegment.ofArray(values), 0, MemorySegment.ofArray(block), 0, n);
        values[3] = 1;
        Dequantize.toFloat(
            type, MemorySegment.ofArray(block), 0, MemorySegment.ofArray(values), 0, n);
        for (float v : values) {
          assertEquals(0, Math.abs(v), type.name());
        }
      }
    }
  }

  @Test
  void otherTypesAreRefused() {
    var e =
        assertThrows(
            UnsupportedOperationException.class,
            () ->
                Quantize.fromFloat(
                    DType.Block.IQ2_XXS, MemorySegment.NULL, 0, MemorySegment.NULL, 0, 256));
    assertTrue(e.getMessage().contains("IQ2_XXS"), e.getMessage());
  }
}
