package io.gatun.tests.tensor;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.tensor.DType;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.util.List;

/// Random blocks of the GGUF formats, with the values that ggml reads from them, and floats with
/// the blocks that ggml makes of them.
final class QuantVectors {
  private QuantVectors() {}

  private static final List<String> FOLDERS = List.of("gguf-quant-vectors", "quant-formats/gguf");

  /// The manifests: a name of a type to its sizes.
  static JsonNode manifest() throws IOException {
    var all = new ObjectMapper().createObjectNode();
    for (String folder : FOLDERS) {
      var file = TestData.shared(folder + "/manifest.json").toFile();
      all.setAll((ObjectNode) new ObjectMapper().readTree(file));
    }
    return all;
  }

  static DType type(String name) {
    return name.equals("BF16") ? DType.Plain.BF16 : DType.Block.valueOf(name);
  }

  static byte[] file(String name) throws IOException {
    var first = TestData.shared(FOLDERS.getFirst()).resolve(name);
    return Files.readAllBytes(
        Files.exists(first) ? first : TestData.shared(FOLDERS.getLast()).resolve(name));
  }

  static MemorySegment nativeCopy(Arena arena, byte[] bytes) {
    return arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
  }
}
