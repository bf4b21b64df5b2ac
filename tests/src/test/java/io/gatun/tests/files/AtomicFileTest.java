package io.gatun.tests.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.ffm.files.AtomicFile;
import io.gatun.tests.TestData;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// Files that appear whole or not at all, however a process ends.
@Timeout(120)
class AtomicFileTest {
  @TempDir private Path temp;

  private static Process start(Map<String, String> environment, String... args) throws IOException {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "--add-modules", "jdk.incubator.vector"));
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(FilesProbe.class.getName());
    command.addAll(List.of(args));
    var builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
    builder.environment().keySet().removeAll(List.of("XDG_CACHE_HOME", "XDG_STATE_HOME"));
    builder.environment().putAll(environment);
    return builder.start();
  }

  private static Process begin(String... args) throws IOException {
    Process process = start(Map.of(), args);
    assertEquals("begun", process.inputReader().readLine());
    return process;
  }

  private static void end(Process process) throws InterruptedException {
    assertTrue(process.waitFor(100, TimeUnit.SECONDS));
  }

  private static List<String> names(Path folder) throws IOException {
    try (var files = Files.list(folder)) {
      return files.map(f -> f.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void appearsWhenItIsCommitted() throws IOException {
    Path file = temp.resolve("a.txt");
    AtomicFile.write(file, "one");
    AtomicFile.write(file, "two");
    assertEquals("two", Files.readString(file));
    try (var unfinished = new AtomicFile(file)) {
      assertEquals(2, names(temp).size());
      AtomicFile.removeAbandoned(temp);
      assertEquals(2, names(temp).size());
      unfinished.channel().write(java.nio.ByteBuffer.wrap(new byte[3]));
    }
    assertEquals(List.of("a.txt"), names(temp));
    assertEquals("two", Files.readString(file));
  }

  @Test
  void whatKilledProcessesLeftGoesAndNothingElse() throws Exception {
    for (String foreign : List.of(".a.txt.tmp", ".notes.gatun-tmp", "a.txt.1f.gatun-tmp")) {
      Files.writeString(temp.resolve(foreign), "x");
    }
    var before = names(temp);
    Process terminated = begin("write", temp.resolve("a.txt").toString());
    assertEquals(before.size() + 1, names(temp).size());
    Process killed = begin("write", temp.resolve("b.txt").toString());
    AtomicFile.removeAbandoned(temp);
    assertEquals(before.size() + 2, names(temp).size(), "a file that is being written is gone");
    terminated.destroy();
    end(terminated);
    assertEquals(before.size() + 1, names(temp).size());
    killed.destroyForcibly();
    end(killed);
    assertEquals(before.size() + 1, names(temp).size());
    AtomicFile.write(temp.resolve("c.txt"), "x");
    var after = new ArrayList<>(names(temp));
    assertTrue(after.remove("c.txt"));
    assertEquals(before, after);
  }

  @Test
  void anInterruptedQuantizeLeavesNothing() throws Exception {
    Path model = TestData.pretrained("tiny-llm");
    Process process = begin("quantize", temp.resolve("out").toString(), model.toString());
    assertEquals(List.of("out"), names(temp));
    process.destroy();
    end(process);
    assertEquals(List.of(), names(temp));
  }

  @Test
  @DisabledOnOs(
      value = {OS.WINDOWS, OS.MAC},
      disabledReason = "XDG's folders are Linux's")
  void theFoldersFollowTheEnvironment() throws Exception {
    String home = temp.toRealPath().toString();
    assertEquals(
        List.of(home + "/.cache/gatun", home + "/.local/state/gatun/chat-history"),
        folders(Map.of("HOME", home, "XDG_CACHE_HOME", "relative")));
    assertEquals(
        List.of(home + "/c/gatun", home + "/s/gatun/chat-history"),
        folders(
            Map.of("HOME", home, "XDG_CACHE_HOME", home + "/c", "XDG_STATE_HOME", home + "/s")));
  }

  private static List<String> folders(Map<String, String> environment) throws Exception {
    Process process = start(new HashMap<>(environment), "folders", "");
    try (BufferedReader lines = process.inputReader()) {
      var said = lines.lines().toList();
      end(process);
      return said;
    }
  }
}
