package io.gatun.tests.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.ffm.MappedFiles;
import io.gatun.ffm.RawArena;
import io.gatun.tests.ResidentFiles;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// Parts of mapped files that the process does without.
class MappedFilesTest {
  private static byte[] random(int size) {
    byte[] bytes = new byte[size];
    new Random(1).nextBytes(bytes);
    return bytes;
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void givesPagesBack(@TempDir Path dir) throws Exception {
    Path file = dir.resolve("weights-to-unload");
    byte[] bytes = random(1 << 20);
    Files.write(file, bytes);
    var expected = MemorySegment.ofArray(bytes);
    try (var channel = FileChannel.open(file);
        var arena = new RawArena()) {
      var mapped = arena.map(channel);
      assertEquals(-1, mapped.mismatch(expected));
      assertEquals(bytes.length, ResidentFiles.bytes(file.toString()));
      MappedFiles.unload(mapped.asSlice(0, bytes.length / 2));
      assertEquals(bytes.length / 2, ResidentFiles.bytes(file.toString()));
      assertEquals(-1, mapped.mismatch(expected));
    }
  }

  /// Whatever else is given stays as it is, also where a file was mapped before.
  @Test
  void leavesOtherMemory(@TempDir Path dir) throws Exception {
    byte[] bytes = random(100_001);
    var expected = MemorySegment.ofArray(bytes);
    Path file = dir.resolve("data");
    Files.write(file, bytes);
    MemorySegment mapped;
    try (var channel = FileChannel.open(file);
        var arena = new RawArena()) {
      mapped = arena.map(channel);
      assertTrue(MappedFiles.contains(mapped.asSlice(5000, 10)));
      var own = arena.allocate(bytes.length, 4096).copyFrom(expected);
      var reserved = arena.reserve(bytes.length).copyFrom(expected);
      for (var memory : new MemorySegment[] {own, reserved, expected}) {
        MappedFiles.unload(memory);
        assertFalse(MappedFiles.contains(memory));
        assertEquals(-1, memory.mismatch(expected));
      }
    }
    assertFalse(MappedFiles.contains(mapped));
  }
}
