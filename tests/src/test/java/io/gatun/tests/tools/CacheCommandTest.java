package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tests.Processes.Result;
import io.gatun.tools.console.Stdio;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `gatun cache clear`: when it asks, and what it leaves.
class CacheCommandTest {
  private static final String MODEL = "model-0123456789abcdef.gguf";

  @TempDir private Path temp;

  private String before;
  private Path packed;
  private Path synthetic;

  @BeforeEach
  void fillACache() throws IOException {
    before = System.getProperty("gatun.cache");
    System.setProperty("gatun.cache", temp.resolve("cache").toString());
    packed = Files.createDirectories(temp.resolve("cache/packed")).resolve(MODEL);
    Files.writeString(packed, "x");
    synthetic = Files.createDirectories(temp.resolve("cache/synthetic"));
    synthetic = Files.writeString(synthetic.resolve("sam-vit_b.safetensors"), "x");
  }

  @AfterEach
  void restore() {
    if (before == null) {
      System.clearProperty("gatun.cache");
    } else {
      System.setProperty("gatun.cache", before);
    }
  }

  /// What is said to somebody at a terminal who answers so.
  private static String ask(String answer, String... args) {
    var in = new ByteArrayInputStream(answer.getBytes(StandardCharsets.UTF_8));
    var err = new ByteArrayOutputStream();
    var stdio = new Stdio(in, new ByteArrayOutputStream(), err, true, true);
    assertEquals(0, InProcess.gatun(stdio, args));
    return err.toString(StandardCharsets.UTF_8);
  }

  @Test
  void asksAtATerminal() {
    for (String no : List.of("n\n", "\n", "", "yesterday\n")) {
      String question = ask(no, "cache", "clear");
      assertTrue(question.startsWith("Remove 2 of Gatun's files"), question);
      assertTrue(question.contains(temp.resolve("cache").toString()), question);
      assertTrue(Files.exists(packed) && Files.exists(synthetic));
    }
    ask("Y\n", "cache", "clear", "packed");
    assertFalse(Files.exists(packed));
    assertTrue(Files.exists(synthetic));
    assertEquals("", ask("", "cache", "clear", "--yes"));
    assertFalse(Files.exists(synthetic));
  }

  @Test
  void needsAWordWhereNobodyCanBeAsked() {
    Launcher.assertRefused(InProcess.gatun("cache", "clear"), "add --yes");
    Launcher.assertRefused(InProcess.reading("y\n", "cache", "clear", "packed"), "add --yes");
    assertTrue(Files.exists(packed) && Files.exists(synthetic));
    Result named = InProcess.gatun("cache", "clear", "packed/" + MODEL);
    assertEquals(0, named.code(), named.err());
    assertFalse(Files.exists(packed));
    assertTrue(Files.exists(synthetic));
    assertEquals(0, InProcess.gatun("cache", "clear", "-y").code());
    assertFalse(Files.exists(synthetic));
  }

  @Test
  void refusesAFolderThatIsNoCache() throws IOException {
    Path key = Files.createDirectories(temp.resolve("cache/.ssh")).resolve("key");
    Files.writeString(key, "x");
    Launcher.assertRefused(
        InProcess.gatun("cache", "clear", "--yes"), "holds other files, such as .ssh");
    assertTrue(Files.exists(key) && Files.exists(packed) && Files.exists(synthetic));
  }
}
