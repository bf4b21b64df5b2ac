package io.gatun.tests.loaders;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.GgufWriter;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What our writers write, our loaders read.
class WritersTest {
  @TempDir Path dir;

  @Test
  void safetensorsOfEveryTypeComeBack() {
    Path file = dir.resolve("all.safetensors");
    try (var arena = Arena.ofConfined()) {
      var writer = new SafetensorsWriter().metadata("format", "pt \"\u00e9\n");
      for (DType.Plain dtype : DType.Plain.values()) {
        writer.add(dtype.name(), random(arena, dtype, Shape.of(3, 5, 4)));
      }
      var tiled = random(arena, new DType.Tiled(4, 32), Shape.of(33, 64));
      writer.add("tiled", tiled).add("empty", Tensor.allocate(arena, DType.Plain.F32, 0, 7));
      writer.add("scalar", random(arena, DType.Plain.F32, Shape.of()));
      writer.write(file);
      try (var ck = Checkpoint.open(file)) {
        assertEquals(Map.of("format", "pt \"\u00e9\n"), ck.metadata());
        for (DType.Plain dtype : DType.Plain.values()) {
          var expected = random(arena, dtype, Shape.of(3, 5, 4));
          assertSame(expected, ck.tensor(dtype.name()));
          long offset = ck.tensor(dtype.name()).segment().address();
          assertEquals(0, offset % Math.min(8, Long.lowestOneBit(dtype.blockBytes())));
        }
        assertSame(tiled, ck.tensor("tiled"));
        assertEquals(0, ck.tensor("tiled").segment().address() % 64);
        assertEquals(0, ck.tensor("empty").size());
        assertEquals(List.of("F64", "F32"), List.copyOf(ck.tensors().keySet()).subList(0, 2));
      }
    }
  }

  @Test
  void ggufOfEveryTypeComesBack() {
    Path file = dir.resolve("all.gguf");
    var metadata =
        Map.<String, Object>of(
            "string",
            "\u2581x",
            "small",
            7L,
            "negative",
            -7L,
            "large",
            1L << 40,
            "huge",
            BigInteger.ONE.shiftLeft(63),
            "float",
            0.5f,
            "double",
            0.25,
            "flag",
            true,
            "strings",
            List.of("a", "", "\u00e9"),
            "nested",
            List.of(List.of(1L), List.of(2L, 3L)));
    try (var arena = Arena.ofConfined()) {
      var writer = new GgufWriter();
      metadata.forEach(writer::metadata);
      var types =
          EnumSet.complementOf(
              EnumSet.of(DType.Block.MXFP4_PAIRS, DType.Block.CODE4)); // no types of GGUF's
      for (DType.Block dtype : types) {
        writer.add(dtype.name(), random(arena, dtype, Shape.of(3, 2L * dtype.blockSize())));
      }
      writer.add("BF16", random(arena, DType.Plain.BF16, Shape.of(3)));
      writer.write(file);
      try (var ck = Checkpoint.open(file)) {
        assertEquals(metadata, ck.metadata());
        for (DType.Block dtype : types) {
          var expected = random(arena, dtype, Shape.of(3, 2L * dtype.blockSize()));
          assertSame(expected, ck.tensor(dtype.name()));
        }
        assertEquals(Shape.of(3), ck.tensor("BF16").shape());
        assertTrue(ck.parts().getFirst().alignment() >= 32);
      }
    }
  }

  @Test
  void aRewrittenGgufIsTheSame() throws IOException {
    Path original = TestData.shared("llm-formats/model-q4_0.gguf");
    Path copy = dir.resolve("copy.gguf");
    try (var ck = Checkpoint.open(original)) {
      var writer = new GgufWriter();
      ck.metadata().forEach(writer::metadata);
      ck.tensors().forEach(writer::add);
      writer.write(copy);
      assertEquals(-1, Files.mismatch(original, copy));
    }
  }

  @Test
  void dataInPiecesMustBeExactlyTheTensorsBytes() throws IOException {
    var shape = Shape.of(4, 4);
    var piece = MemorySegment.ofArray(new byte[32]);
    Path file = dir.resolve("pieces.safetensors");
    new SafetensorsWriter()
        .add(
            "w",
            DType.Plain.F32,
            shape,
            sink -> {
              sink.write(piece.fill((byte) 1));
              sink.write(piece.fill((byte) 2));
            })
        .write(file);
    try (var ck = Checkpoint.open(file)) {
      assertEquals(0x01010101, ck.tensor("w").segment().get(ValueLayout.JAVA_INT, 0));
      assertEquals(0x02020202, ck.tensor("w").segment().get(ValueLayout.JAVA_INT, 32));
    }
    var few = new GgufWriter().add("w", DType.Plain.F32, shape, sink -> sink.write(piece));
    var e = assertThrows(IllegalArgumentException.class, () -> few.write(dir.resolve("few.gguf")));
    assertTrue(e.getMessage().contains("\"w\"") && e.getMessage().contains("32 bytes too few"));
    var many =
        new SafetensorsWriter().add("w", DType.Plain.F32, Shape.of(2), sink -> sink.write(piece));
    assertThrows(IllegalArgumentException.class, () -> many.write(dir.resolve("many.safetensors")));
    assertEquals(List.of(file), files());
  }

  @Test
  void afterAFailureTheOldFileStaysAndNothingElse() throws IOException {
    Path file = Files.writeString(dir.resolve("model.gguf"), "old");
    var writer =
        new GgufWriter()
            .add(
                "w",
                DType.Plain.F32,
                Shape.of(1),
                sink -> {
                  throw new IllegalStateException("quantizing failed");
                });
    assertThrows(IllegalStateException.class, () -> writer.write(file));
    assertEquals("old", Files.readString(file));
    assertEquals(List.of(file), files());
  }

  @Test
  void aFolderThatIsNotThereIsNamed() {
    Path file = dir.resolve("missing/model.safetensors");
    var e = assertThrows(CheckpointException.class, () -> new SafetensorsWriter().write(file));
    assertTrue(e.getMessage().contains(file.toString()), e.getMessage());
  }

  private List<Path> files() throws IOException {
    try (var files = Files.list(dir)) {
      return files.toList();
    }
  }

  private static Tensor random(Arena arena, DType dtype, Shape shape) {
    var bytes = new byte[(int) dtype.byteSize(shape)];
    new Random(dtype.name().hashCode()).nextBytes(bytes);
    var segment = arena.allocate(bytes.length, 64).copyFrom(MemorySegment.ofArray(bytes));
    return Tensor.of(segment, dtype, shape);
  }

  private static void assertSame(Tensor expected, Tensor found) {
    assertEquals(expected.dtype(), found.dtype());
    assertEquals(expected.shape(), found.shape());
    assertEquals(-1, expected.segment().mismatch(found.segment()), expected.dtype().name());
  }
}
