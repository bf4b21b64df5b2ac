package io.gatun.tests.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.ffm.RawArena;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class RawArenaTest {
  private static final long SIZE = (1L << 30) + 5;

  @Test
  void reservedMemoryIsZeroAndTakesRoomOnlyWhereItIsTouched() throws Exception {
    long mappedBefore = memory("VmSize:");
    long residentBefore = memory("VmRSS:");
    var arena = new RawArena();
    MemorySegment memory = arena.reserve(SIZE);
    assertEquals(SIZE, memory.byteSize());
    assertEquals(0, memory.address() % (2 << 20));
    assertEquals(0, memory.get(ValueLayout.JAVA_BYTE, SIZE - 1));
    memory.set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
    assertTrue(memory("VmRSS:") - residentBefore < SIZE / 2, "as much memory is used");
    arena.close();
    assertTrue(memory("VmSize:") - mappedBefore < SIZE / 2, "it is still mapped");
    assertThrows(IllegalStateException.class, () -> memory.get(ValueLayout.JAVA_BYTE, 0));
  }

  @Test
  void moreThanThereIsCannotBeReserved() {
    var arena = new RawArena();
    assertThrows(OutOfMemoryError.class, () -> arena.reserve(1L << 55));
    arena.close();
  }

  /// A field of this process's memory in bytes, as Linux tells it; 0 elsewhere.
  private static long memory(String field) throws IOException {
    Path status = Path.of("/proc/self/status");
    if (!Files.exists(status)) {
      return 0;
    }
    String line =
        Files.readAllLines(status).stream()
            .filter(l -> l.startsWith(field))
            .findAny()
            .orElseThrow();
    return Long.parseLong(line.replaceAll("\\D", "")) << 10;
  }
}
