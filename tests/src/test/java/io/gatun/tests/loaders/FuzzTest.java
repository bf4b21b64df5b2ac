package io.gatun.tests.loaders;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.sun.management.ThreadMXBean;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Damaged files are refused with a [CheckpointException] or open safely; nothing else happens.
///
/// The suite tries 2,000 files of each kind, always the same; the profile `fuzz` goes on for
/// `gatun.fuzz.seconds` of each with new ones.
class FuzzTest {
  private static final int MUTATIONS = 2000;
  private static final int SECONDS = Integer.getInteger("gatun.fuzz.seconds", 0);

  /// Generous for a busy machine; an endless loop takes longer.
  private static final Duration MAX_TIME = Duration.ofSeconds(10);

  /// The files have some 5 kB; a claimed size that is believed takes more.
  private static final long MAX_HEAP = 4 << 20;

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  @TempDir Path dir;

  @ParameterizedTest
  @ValueSource(
      strings = {"safetensors", "gguf", "views.pt", "views.legacy.bin", "training.pt", "zip64.pt"})
  void truncationsAreRefused(String kind) throws IOException {
    byte[] whole = original(kind);
    Path file = dir.resolve("truncated.safetensors");
    int step = whole.length < 2000 ? 1 : 5;
    for (int length = whole.length - 1; length >= 0; length -= step) {
      Files.write(file, Arrays.copyOf(whole, length));
      var e =
          assertThrows(
              CheckpointException.class, () -> Checkpoint.open(file).close(), "at " + length);
      assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
    }
  }

  @Tag("fuzz")
  @ParameterizedTest
  @ValueSource(
      strings = {"safetensors", "gguf", "views.pt", "views.legacy.bin", "training.pt", "zip64.pt"})
  void mutatedFilesOpenSafelyOrAreRefused(String kind) throws IOException {
    byte[] original = original(kind);
    Path file = dir.resolve("mutated");
    long seed = SECONDS == 0 ? 0 : System.nanoTime();
    long end = System.nanoTime() + Duration.ofSeconds(SECONDS).toNanos();
    int opened = 0;
    for (int i = 0; i < MUTATIONS || (SECONDS > 0 && System.nanoTime() < end); i++) {
      byte[] mutated = mutate(original, new Random(seed + i));
      Files.write(file, mutated);
      try {
        opened += open(file, i % 8 == 0 ? LoadMode.COPY : LoadMode.MAP) ? 1 : 0;
      } catch (RuntimeException | Error e) {
        Path kept = Files.write(Path.of("target", "fuzz-" + kind), mutated);
        fail("seed " + (seed + i) + ", kept as " + kept, e);
      }
    }
    assertTrue(opened > 0, "no mutation left the file readable: the fuzzing reaches nothing");
  }

  /// Whether the file opened; its tensors were touched at both ends then.
  private static boolean open(Path file, LoadMode mode) {
    long thread = Thread.currentThread().threadId();
    long heap = THREADS.getThreadAllocatedBytes(thread);
    long start = THREADS.getCurrentThreadCpuTime();
    boolean opened;
    try (var ck = Checkpoint.open(file, mode)) {
      ck.tensors().values().forEach(FuzzTest::touch);
      assertNotNull(ck.metadata().toString());
      opened = true;
    } catch (CheckpointException e) {
      assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
      opened = false;
    }
    assertTrue(THREADS.getCurrentThreadCpuTime() - start < MAX_TIME.toNanos(), "took too long");
    heap = THREADS.getThreadAllocatedBytes(thread) - heap;
    assertTrue(heap < MAX_HEAP, heap + " bytes of heap");
    return opened;
  }

  private static void touch(Tensor t) {
    if (t.byteSize() > 0) {
      byte first = t.segment().get(ValueLayout.JAVA_BYTE, 0);
      byte last = t.segment().get(ValueLayout.JAVA_BYTE, t.byteSize() - 1);
      assertEquals(first + last, last + first);
    }
    assertNotNull(t.shape().toString());
  }

  private byte[] original(String kind) throws IOException {
    Path file = dir.resolve("original");
    switch (kind) {
      case "safetensors" -> Fixtures.writeSafetensors(file);
      case "gguf" -> Fixtures.writeGguf(file);
      default -> file = Fixtures.resource(kind);
    }
    Checkpoint.open(file).close();
    return Files.readAllBytes(file);
  }

  private static byte[] mutate(byte[] original, Random random) {
    byte[] bytes = original.clone();
    for (int n = random.nextInt(1, 5); n > 0; n--) {
      int at = random.nextInt(bytes.length);
      var buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      switch (random.nextInt(8)) {
        case 0, 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        case 2 -> bytes[at] = (byte) random.nextInt(256);
        case 3 -> bytes[at] = interestingByte(random);
        case 4 -> buffer.putInt(Math.min(at, bytes.length - 4), (int) interesting(random, bytes));
        case 5 -> buffer.putLong(Math.min(at, bytes.length - 8), interesting(random, bytes));
        case 6 -> {
          int from = random.nextInt(bytes.length);
          int length = random.nextInt(1, 1 + Math.min(32, bytes.length - Math.max(at, from)));
          System.arraycopy(bytes, from, bytes, at, length);
        }
        default -> {
          int cut = random.nextInt(1, 9);
          int rest = Math.min(bytes.length, at + cut);
          System.arraycopy(bytes, rest, bytes, at, bytes.length - rest);
        }
      }
    }
    return random.nextInt(10) == 0 ? Arrays.copyOf(bytes, random.nextInt(bytes.length)) : bytes;
  }

  private static byte interestingByte(Random random) {
    byte[] bytes = {0, 1, -1, -128, 127, '"', '{', '}', '[', ',', '.', '(', 'R', 'b', '0', '9'};
    return bytes[random.nextInt(bytes.length)];
  }

  private static long interesting(Random random, byte[] bytes) {
    long[] numbers = {
      0,
      1,
      -1,
      8,
      bytes.length,
      bytes.length - 8L,
      1L << 31,
      (1L << 32) - 1,
      1L << 32,
      1L << 62,
      Long.MAX_VALUE,
      Long.MIN_VALUE,
      Integer.MAX_VALUE,
      1 << 20,
      0x0101010101010101L,
      65_535
    };
    return numbers[random.nextInt(numbers.length)];
  }
}
