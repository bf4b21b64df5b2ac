package io.gatun.tests.loaders;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.Format;
import io.gatun.loaders.GgufWriter;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Models in several files, and what PyTorch writes.
class ModelFilesTest {
  private static final float[] COUNT = count(24);

  @TempDir Path dir;

  @Test
  void shardsOfAnIndexAreOneModel() throws IOException {
    try (var arena = Arena.ofConfined()) {
      var a = Tensor.ofFloats(arena, new float[] {1, 2}, 2);
      var b = Tensor.ofFloats(arena, new float[] {3}, 1);
      new SafetensorsWriter()
          .metadata("format", "pt")
          .add("a", a)
          .write(dir.resolve("model-00001-of-00002.safetensors"));
      new SafetensorsWriter()
          .metadata("format", "pt")
          .add("b", b)
          .write(dir.resolve("model-00002-of-00002.safetensors"));
    }
    Path index = dir.resolve("model.safetensors.index.json");
    Files.writeString(
        index,
        """
        {"metadata": {"total_size": 12},
         "weight_map": {"a": "model-00001-of-00002.safetensors",
                        "b": "model-00002-of-00002.safetensors"}}
        """);
    for (Path path : List.of(dir, index)) {
      try (var ck = Checkpoint.open(path)) {
        assertEquals(Format.SAFETENSORS, ck.format());
        assertEquals(List.of("a", "b"), List.copyOf(ck.tensors().keySet()));
        assertArrayEquals(new float[] {3}, ck.tensor("b").toFloats());
        assertEquals("model-00002-of-00002.safetensors", ck.file("b").getFileName().toString());
        assertEquals(2, ck.parts().size());
        assertEquals(12, ((Number) ck.metadata().get("total_size")).intValue());
        assertEquals("pt", ck.metadata().get("format"));
      }
    }
  }

  @Test
  void ggufSplitsAreOneModel() {
    for (int i = 0; i < 3; i++) {
      try (var arena = Arena.ofConfined()) {
        new GgufWriter()
            .metadata("split.no", i)
            .metadata("split.count", 3)
            .add("w" + i, Tensor.ofFloats(arena, new float[] {i}, 1))
            .write(dir.resolve("m-0000%d-of-00003.gguf".formatted(i + 1)));
      }
    }
    for (Path path : List.of(dir, dir.resolve("m-00001-of-00003.gguf"))) {
      try (var ck = Checkpoint.open(path)) {
        assertEquals(List.of("w0", "w1", "w2"), List.copyOf(ck.tensors().keySet()));
        assertArrayEquals(new float[] {2}, ck.tensor("w2").toFloats());
      }
    }
    var e =
        assertThrows(
            CheckpointException.class,
            () -> Checkpoint.open(dir.resolve("m-00002-of-00003.gguf")).close());
    assertTrue(e.getMessage().contains("open the first"), e.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {"views.pt", "views.legacy.bin"})
  void viewsOfSharedStorages(String name) {
    try (var ck = Checkpoint.open(Fixtures.resource(name))) {
      assertArrayEquals(COUNT, ck.tensor("base").toFloats());
      assertTrue(ck.tensor("base").isContiguous());
      assertEquals(Shape.of(6, 4), ck.tensor("transposed").shape());
      assertArrayEquals(COUNT, ck.tensor("transposed").transpose(0, 1).toFloats());
      assertEquals(
          ck.tensor("base").segment().address(), ck.tensor("transposed").segment().address());
      assertArrayEquals(new float[] {8, 9, 10, 14, 15, 16}, ck.tensor("window").toFloats());
      assertEquals(12, ck.tensor("expanded").toFloats().length);
      assertFalse(ck.tensor("expanded").isContiguous());
      assertEquals(3.5f, ck.tensor("scalar").getFloat());
      assertEquals(Shape.of(0, 3), ck.tensor("empty").shape());
      for (String type : List.of("bf16", "f16", "f64", "i8", "u8", "u16")) {
        assertEquals(DType.Plain.valueOf(type.toUpperCase(Locale.ROOT)), ck.tensor(type).dtype());
        assertArrayEquals(COUNT, ck.tensor(type).toFloats(), type);
      }
      assertEquals(DType.Plain.C64, ck.tensor("c64").dtype());
      assertEquals(DType.Plain.BOOL, ck.tensor("bool").dtype());
      assertEquals(DType.Plain.F8_E4M3, ck.tensor("f8_e4m3").dtype());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"protocol4.pt", "zip64.pt"})
  void laterProtocolsAndZip64(String name) {
    try (var ck = Checkpoint.open(Fixtures.resource(name))) {
      assertArrayEquals(COUNT, ck.tensor("w").toFloats());
    }
  }

  @Test
  void aTrainingCheckpointGivesTheModelUnderItsOwnNames() {
    try (var ck = Checkpoint.open(Fixtures.resource("training.pt"))) {
      assertEquals(Shape.of(4, 3), ck.tensor("0.weight").shape());
      assertEquals(Shape.of(), ck.tensor("1.num_batches_tracked").shape());
      assertEquals(Shape.of(2, 2), ck.tensor("optimizer.state.0.exp_avg").shape());
      Map<String, Object> metadata = ck.metadata();
      assertEquals(7L, metadata.get("epoch"));
      assertEquals(0.25, metadata.get("loss"));
      assertTrue(metadata.containsKey("none"));
      assertNull(metadata.get("none"));
      assertEquals(List.of(1L, 2L, List.of(3L, "x")), metadata.get("list"));
      assertEquals(List.of(1L, 2L), metadata.get("size"));
      assertEquals("cuda:0", metadata.get("device"));
      assertEquals("BF16", metadata.get("dtype"));
      assertEquals(BigInteger.TWO.pow(70), metadata.get("large"));
      assertEquals(-5L, metadata.get("negative"));
      assertEquals("ab", metadata.get("bytes"));
      assertEquals(List.of(1L), metadata.get("set"));
    }
  }

  private static float[] count(int n) {
    var floats = new float[n];
    for (int i = 0; i < n; i++) {
      floats[i] = i;
    }
    return floats;
  }
}
