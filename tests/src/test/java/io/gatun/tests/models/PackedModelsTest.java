package io.gatun.tests.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.ffm.files.Stamp;
import io.gatun.loaders.LoadMode;
import io.gatun.models.PackedModels;
import io.gatun.tensor.DType;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// GGUF files packed once into the user's cache.
class PackedModelsTest {
  private static final long PLENTY = 1L << 30;

  @TempDir private Path temp;

  private final List<String> notices = Collections.synchronizedList(new ArrayList<>());
  private Path folder;
  private Path model;

  @BeforeEach
  void writeModel() {
    folder = temp.resolve("cache/packed");
    model = temp.resolve("model.gguf");
    SmallGguf.write(model, DType.Block.Q4_0);
  }

  private Path open(Path path, long limit) {
    try (var checkpoint =
        new PackedModels(folder, 1, limit, notices::add).open(path, LoadMode.MAP)) {
      return checkpoint.path();
    }
  }

  private List<Path> cached() throws IOException {
    try (var files = Files.list(folder)) {
      return files.filter(f -> !f.toString().endsWith(".stamp")).sorted().toList();
    }
  }

  @Test
  void aModelIsPackedOnce() throws IOException {
    Path packed = open(model, PLENTY);
    assertEquals(folder, packed.getParent());
    assertEquals(1, notices.size(), notices.toString());
    assertTrue(notices.getFirst().contains("packing its"), notices.toString());
    var before = FileTime.from(Instant.now().minus(Duration.ofDays(3)));
    Path stamp = Stamp.of(packed);
    Files.setLastModifiedTime(stamp, before);
    assertEquals(packed, open(model, PLENTY));
    assertEquals(1, notices.size(), notices.toString());
    assertEquals(List.of(packed), cached());
    assertTrue(Files.getLastModifiedTime(stamp).compareTo(before) > 0, "using it is not noted");
  }

  @Test
  void aChangedModelIsPackedAnew() throws IOException {
    Path first = open(model, PLENTY);
    var time = Files.getLastModifiedTime(model);
    // The same size and time, another byte in the header's metadata.
    try (var file = new RandomAccessFile(model.toFile(), "rw")) {
      byte[] head = new byte[200];
      file.readFully(head);
      int at =
          new String(head, java.nio.charset.StandardCharsets.ISO_8859_1).indexOf("context_length");
      file.seek(at + 14 + 4);
      file.write(65);
    }
    Files.setLastModifiedTime(model, time);
    Path second = open(model, PLENTY);
    assertNotEquals(first, second);
    Files.setLastModifiedTime(model, FileTime.from(time.toInstant().plusSeconds(1)));
    Path third = open(model, PLENTY);
    assertEquals(3, cached().size());
    assertNotEquals(second, third);
  }

  @Test
  void theOnesNotUsedForLongestGo() throws IOException {
    var packed = new ArrayList<Path>();
    for (int i = 0; i < 3; i++) {
      Path copy = Files.copy(model, temp.resolve("model" + i + ".gguf"));
      packed.add(open(copy, PLENTY));
    }
    Instant now = Instant.now();
    int[] order = {1, 2, 0};
    for (int i = 0; i < 3; i++) {
      var used = FileTime.from(now.plusSeconds(10 * (order[i] + 1)));
      Files.setLastModifiedTime(Stamp.of(packed.get(i)), used);
    }
    Path foreign = Files.createFile(folder.resolve(".notes.tmp"));
    Path model2 = Files.copy(model, folder.resolve("model2.gguf"));
    for (Path file : List.of(foreign, model2)) {
      Files.setLastModifiedTime(file, FileTime.from(now.minus(Duration.ofDays(2))));
    }
    // Room for three and a little.
    long limit = Files.size(packed.getFirst()) * 13 / 4;
    Path latest = open(model, limit);
    var expected = new ArrayList<>(List.of(foreign, model2, latest, packed.get(0), packed.get(1)));
    Collections.sort(expected);
    assertEquals(expected, cached());
  }

  @Test
  void whatPassesTheLimitRunsInPlace() {
    assertEquals(model, open(model, 1000));
    assertTrue(notices.getFirst().contains("limit"), notices.toString());
  }

  /// Tiles of four bits are twice as large as blocks of two.
  @Test
  void whatMemoryHasNoRoomForRunsInPlace() {
    SmallGguf.write(model, DType.Block.IQ2_XXS);
    String before = System.getProperty("gatun.memory");
    System.setProperty("gatun.memory", "300000");
    try {
      assertEquals(model, open(model, PLENTY));
      assertTrue(notices.getFirst().contains("of memory are free"), notices.toString());
    } finally {
      if (before == null) {
        System.clearProperty("gatun.memory");
      } else {
        System.setProperty("gatun.memory", before);
      }
    }
    assertEquals(folder, open(model, PLENTY).getParent());
  }

  @Test
  void manyMayPackAtOnce() throws Exception {
    try (var threads = Executors.newFixedThreadPool(4)) {
      Callable<Path> open = () -> open(model, PLENTY);
      for (var result : threads.invokeAll(Collections.nCopies(4, open))) {
        assertEquals(folder, result.get().getParent());
      }
    }
    assertEquals(1, cached().size(), cached().toString());
  }

  @Test
  void aDamagedFileIsMadeAgain() throws IOException {
    Path packed = open(model, PLENTY);
    long size = Files.size(packed);
    try (var file = new RandomAccessFile(packed.toFile(), "rw")) {
      file.setLength(size / 2);
    }
    assertEquals(packed, open(model, PLENTY));
    assertEquals(size, Files.size(packed));
  }

  /// Its size stays, and so does every number in its header.
  @Test
  void aFileThatWasChangedIsMadeAgain() throws IOException {
    Path packed = open(model, PLENTY);
    byte[] whole = Files.readAllBytes(packed);
    var time = Files.getLastModifiedTime(packed);
    try (var file = new RandomAccessFile(packed.toFile(), "rw")) {
      file.seek(whole.length - 1000);
      file.write(~whole[whole.length - 1000]);
    }
    Files.setLastModifiedTime(packed, time);
    assertEquals(packed, open(model, PLENTY));
    assertArrayEquals(whole, Files.readAllBytes(packed));
  }

  /// As models that were trained from the same one may: they have the same name, size, time and
  /// header, and what differs lies behind the first megabyte.
  @Test
  void modelsThatDifferInOneLayerAreNotTakenForEachOther() throws IOException {
    var packed = new ArrayList<Path>();
    for (int seed = 0; seed < 2; seed++) {
      Path copy = Files.createDirectories(temp.resolve("model" + seed)).resolve("model.gguf");
      SmallGguf.write(copy, DType.Block.Q4_0, 6, seed);
      assertTrue(Files.size(copy) > 2_000_000);
      Files.setLastModifiedTime(copy, FileTime.fromMillis(1_700_000_000_000L));
      packed.add(open(copy, PLENTY));
    }
    assertNotEquals(packed.get(0), packed.get(1));
  }

  @Test
  void withoutACacheItRunsInPlace() throws IOException {
    // Permissions would not stop root.
    Files.writeString(temp.resolve("cache"), "a file where the folder should be");
    assertEquals(model, open(model, PLENTY));
    assertEquals(1, notices.size(), notices.toString());
    assertTrue(notices.getFirst().contains("runs from its own blocks"), notices.toString());
  }

  @Test
  void whatHasNoTilesIsOpenedAsItIs() {
    Path tiny = TestData.pretrained("tiny-llm");
    assertEquals(tiny, open(tiny, PLENTY));
    SmallGguf.write(model, DType.Block.Q6_K);
    assertEquals(model, open(model, PLENTY));
    assertEquals(List.of(), notices);
  }
}
