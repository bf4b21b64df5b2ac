package io.gatun.tests.tensor;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.tensor.DType;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.util.EnumSet;
import java.util.Set;

/// Random blocks of the GGUF formats, with the values that ggml reads from them, and floats with
/// the blocks that ggml makes of them.
final class QuantVectors {
  static final Set<DType.Block> WITHOUT_SUPPORT =
      EnumSet.of(
          DType.Block.IQ2_XXS,
          DType.Block.IQ2_XS,
          DType.Block.IQ3_XXS,
          DType.Block.IQ1_S,
          DType.Block.IQ3_S,
          DType.Block.IQ2_S,
          DType.Block.IQ1_M);

  private QuantVectors() {}

  /// The manifest: a name of a type to its sizes.
  static JsonNode manifest() throws IOException {
    return new ObjectMapper()
        .readTree(TestData.shared("gguf-quant-vectors/manifest.json").toFile());
  }

  static DType type(String name) {
    return name.equals("BF16") ? DType.Plain.BF16 : DType.Block.valueOf(name);
  }

  static byte[] file(String name) throws IOException {
    return Files.readAllBytes(TestData.shared("gguf-quant-vectors").resolve(name));
  }

  static MemorySegment nativeCopy(Arena arena, byte[] bytes) {
    return arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
  }
}
