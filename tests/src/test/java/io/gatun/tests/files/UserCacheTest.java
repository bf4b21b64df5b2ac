package io.gatun.tests.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.ffm.files.CacheEntry;
import io.gatun.ffm.files.Stamp;
import io.gatun.ffm.files.UserCache;
import io.gatun.ffm.files.UserState;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// Where the cache is, who may write to it, and what is removed from it.
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "modes are POSIX's")
class UserCacheTest {
  private static final String PACKED = "packed/model-0123456789abcdef.gguf";

  @TempDir private Path temp;

  private String before;
  private Path cache;

  @BeforeEach
  void nameACache() throws IOException {
    before = System.getProperty("gatun.cache");
    temp = temp.toRealPath();
    use(temp.resolve("cache"));
  }

  private void use(Path folder) {
    cache = folder;
    System.setProperty("gatun.cache", folder.toString());
  }

  @AfterEach
  void restore() {
    if (before == null) {
      System.clearProperty("gatun.cache");
    } else {
      System.setProperty("gatun.cache", before);
    }
  }

  private static String mode(Path file) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(file));
  }

  private static void mode(Path file, int mode) throws IOException {
    Files.setAttribute(file, "unix:mode", mode);
  }

  private Path write(String name) throws IOException {
    Path file = cache.resolve(name);
    Files.createDirectories(file.getParent());
    return Files.writeString(file, "x");
  }

  private static List<String> clear() {
    var entries = CacheEntry.all();
    entries.forEach(CacheEntry::remove);
    return entries.stream().map(CacheEntry::name).toList();
  }

  @Test
  void itIsPrivateAndMarked() throws IOException {
    assertEquals(cache, UserCache.folder());
    assertFalse(Files.exists(cache));
    Path packed = UserCache.open("packed");
    assertEquals(cache.resolve("packed"), packed);
    assertEquals("rwx------", mode(cache));
    assertEquals("rwx------", mode(packed));
    assertTrue(
        Files.readString(cache.resolve("CACHEDIR.TAG"))
            .startsWith("Signature: 8a477f597d28d172789f06886806bc55"));
  }

  @Test
  void clearingTakesOnlyWhatGatunMade() throws IOException {
    UserCache.open("packed");
    Path outside = Files.createDirectories(temp.resolve("documents"));
    Path letter = Files.writeString(outside.resolve("other-0123456789abcdef.gguf"), "x");
    var kept =
        new ArrayList<>(
            List.of(
                write("notes.txt"),
                write("chat-history"),
                write("packed/my-model.gguf"),
                write("natives/notes.txt"),
                write("natives/openblas-00000000-1/libmine.txt"),
                write("synthetic/llama-int4/notes.txt"),
                write("pictures/a-0123456789abcdef.gguf"),
                letter));
    kept.add(Files.createSymbolicLink(cache.resolve("packed/a-0123456789abcdef.gguf"), letter));
    kept.add(Files.createSymbolicLink(cache.resolve("synthetic/sam-vit_b.safetensors"), letter));
    kept.add(Files.createSymbolicLink(cache.resolve("natives/onednn-0-1"), outside));
    write(PACKED);
    write(PACKED + ".stamp");
    write("packed/.old.gguf.01234567-89ab-cdef-0123-456789abcdef.tmp");
    write("packed/.model.gguf.0123456789abcdef.gatun-tmp");
    write("natives/onednn-00000000-1/libdnnl.so.3");
    write("natives/openblas-00000000-1/libopenblas.so.0");
    write("natives/openblas-00000000-1/libopenblas.so.0.stamp");
    write("synthetic/sam-vit_h.safetensors");
    write("synthetic/llama-2-7b-q4_k/model.gguf");
    write("synthetic/sd15-bf16/unet/config.json");
    assertEquals(
        List.of(
            "natives/onednn-00000000-1",
            "natives/openblas-00000000-1",
            "packed/.old.gguf.01234567-89ab-cdef-0123-456789abcdef.tmp",
            PACKED,
            "synthetic/llama-2-7b-q4_k",
            "synthetic/sam-vit_h.safetensors",
            "synthetic/sd15-bf16"),
        clear());
    for (Path file : kept) {
      assertTrue(Files.exists(file), file + " is gone");
    }
    try (var files = Files.walk(cache)) {
      assertEquals(
          kept.size() + 1, // the mark
          1 + files.filter(f -> !Files.isDirectory(f) || Files.isSymbolicLink(f)).count());
    }
    assertEquals(List.of(), clear());
  }

  @Test
  void aFolderWithOtherFilesIsNoCache() throws IOException {
    Path home = temp.resolve("home");
    use(home);
    write(".ssh/id_ed25519");
    write(PACKED);
    for (Path folder : List.of(home, home.resolve("../home"), Path.of("/"))) {
      use(folder);
      if (!folder.equals(Path.of("/")) || isRoot()) { // else it is another's, and not used
        var e = assertThrows(IllegalArgumentException.class, () -> UserCache.open("packed"));
        assertTrue(e.getMessage().contains("holds other files"), e.getMessage());
        assertThrows(IllegalArgumentException.class, CacheEntry::all);
      }
    }
    // Another program's mark does not make it ours.
    use(home);
    Files.writeString(
        home.resolve("CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55\n");
    assertThrows(IllegalArgumentException.class, CacheEntry::all);
    assertTrue(Files.exists(home.resolve(PACKED)));
  }

  @Test
  void aCacheOfAnEarlierVersionIsTakenOver() throws IOException {
    write("chat-history");
    write(PACKED);
    UserCache.open("natives");
    assertTrue(Files.exists(cache.resolve("CACHEDIR.TAG")));
    assertEquals(List.of(PACKED), clear());
    assertTrue(Files.exists(cache.resolve("chat-history")));
  }

  @Test
  void nobodyElseCanWriteToIt() throws IOException {
    write(PACKED);
    mode(cache, 0777);
    mode(cache.resolve("packed"), 0777);
    assertEquals(cache.resolve("packed"), UserCache.open("packed"));
    assertEquals("rwx------", mode(cache));
    assertEquals("rwx------", mode(cache.resolve("packed")));
  }

  @Test
  void inASharedFolderEachUserHasTheirOwn() throws IOException {
    Files.createDirectories(cache);
    mode(cache, 01777);
    Path own = UserCache.open("natives");
    assertEquals("gatun-" + Files.getAttribute(temp, "unix:uid"), name(own.getParent()));
    assertEquals(cache, own.getParent().getParent());
    assertEquals("rwx------", mode(own.getParent()));
    assertEquals(own, UserCache.open("natives"));
  }

  private static String name(Path path) {
    return path.getFileName().toString();
  }

  @Test
  void whereOthersCanPutAFolderInItsPlaceItIsNot() throws IOException {
    use(temp.resolve("all/cache"));
    write(PACKED);
    mode(temp.resolve("all"), 0777);
    assertFalse(UserCache.folder().startsWith(temp), UserCache.folder().toString());
    assertTrue(Files.exists(cache.resolve(PACKED)));
  }

  @Test
  void anotherUsersFolderIsNotUsed() throws IOException {
    if (isRoot()) {
      Files.createDirectories(cache);
      Files.setAttribute(cache, "unix:uid", 12345);
    } else {
      use(Path.of("/usr"));
    }
    assertFalse(UserCache.folder().startsWith(cache), UserCache.folder().toString());
  }

  private boolean isRoot() throws IOException {
    return Files.getAttribute(temp, "unix:uid").equals(0);
  }

  @Test
  void aStampTellsWhetherAFileWasChanged() throws IOException {
    Path file = Files.writeString(UserCache.open("packed").resolve("file"), "abc");
    assertFalse(Stamp.isUnchanged(file));
    Stamp.write(file);
    assertTrue(Stamp.isUnchanged(file));
    // The same size and time.
    FileTime time = Files.getLastModifiedTime(file);
    Files.writeString(file, "abd");
    Files.setLastModifiedTime(file, time);
    assertFalse(Stamp.isUnchanged(file));
    Stamp.write(file);
    Path link = Files.createSymbolicLink(file.resolveSibling("link"), file);
    Files.copy(Stamp.of(file), Stamp.of(link));
    assertFalse(Stamp.isUnchanged(link));
    if (isRoot()) {
      Stamp.write(file);
      Files.setAttribute(file, "unix:uid", 12345);
      assertFalse(Stamp.isUnchanged(file));
    }
  }

  @Test
  void theChatHistoryIsCarriedOverAndPrivate() throws IOException {
    Path old = Files.writeString(temp.resolve("chat-history"), "hello");
    mode(old, 0644);
    Path state = temp.resolve("state/gatun");
    Path file = UserState.file(state, "chat-history", old);
    assertEquals("hello", Files.readString(file));
    assertFalse(Files.exists(old));
    assertEquals("rw-------", mode(file));
    assertEquals("rwx------", mode(state));
    // Only once.
    Files.writeString(old, "later");
    mode(file, 0666);
    assertEquals("hello", Files.readString(UserState.file(state, "chat-history", old)));
    assertEquals("rw-------", mode(file));
    assertTrue(Files.exists(old));
    Path fresh = UserState.file(temp.resolve("fresh"), "chat-history", temp.resolve("none"));
    assertEquals("rw-------", mode(fresh));
  }
}
