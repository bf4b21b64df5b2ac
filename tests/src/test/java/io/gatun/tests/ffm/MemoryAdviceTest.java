package io.gatun.tests.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.gatun.ffm.MemoryAdvice;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MemoryAdviceTest {
  @Test
  void adviceLeavesAMappedFileAsItIs(@TempDir Path dir) throws Exception {
    Path file = dir.resolve("data");
    byte[] bytes = new byte[100_001];
    new Random(1).nextBytes(bytes);
    Files.write(file, bytes);
    try (var channel = FileChannel.open(file);
        var arena = Arena.ofShared()) {
      MemorySegment all = channel.map(FileChannel.MapMode.READ_ONLY, 0, bytes.length, arena);
      MemorySegment middle = all.asSlice(4097, 70_000);
      MemoryAdvice.willNeed(middle);
      MemoryAdvice.hugePages(middle);
      MemoryAdvice.willNeed(all.asSlice(bytes.length));
      assertEquals(-1, all.mismatch(MemorySegment.ofArray(bytes)));
    }
  }

  @Test
  void heapMemoryTakesNoAdvice() {
    MemorySegment heap = MemorySegment.ofArray(new byte[10]);
    assertThrows(IllegalArgumentException.class, () -> MemoryAdvice.willNeed(heap));
  }
}
