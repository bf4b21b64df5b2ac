package io.gatun.tests.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.ffm.NativeLibraries;
import io.gatun.ffm.NativeLibrary;
import java.io.File;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Each test runs [NativeProbe] in a process of its own, since a process loads libraries once.
class NativeLibrariesTest {
  private static final String CLASS_PATH = System.getProperty("java.class.path");

  @TempDir static Path dir;

  private record Result(int status, String output) {}

  @Test
  void theReportSaysWhatWasLoaded() {
    for (NativeLibrary library : NativeLibraries.report()) {
      assertTrue(library.isLoaded(), library::problem);
      assertTrue(library.version().matches("\\d+\\.\\d+\\.\\d+"), library::version);
      assertTrue(Files.isRegularFile(library.path()));
      assertFalse(library.core().isEmpty());
    }
    assertEquals(
        List.of("OpenBLAS", "oneDNN"),
        NativeLibraries.report().stream().map(NativeLibrary::name).toList());
  }

  @Test
  void processesThatStartAtOnceShareAnEmptyCacheWhichRepairsItself() throws Exception {
    Path cache = dir.resolve("shared cache");
    var processes = new ArrayList<Process>();
    for (int i = 0; i < 2; i++) {
      processes.add(start(CLASS_PATH, "-Dgatun.cache=" + cache));
    }
    for (Process process : processes) {
      assertLoaded(finish(process), cache);
    }
    List<Path> files = files(cache);
    assertEquals(
        List.of(), files.stream().filter(file -> file.toString().endsWith(".part")).toList());

    Path oneDnn =
        files.stream().filter(f -> f.toString().contains("dnnl.")).findFirst().orElseThrow();
    long size = Files.size(oneDnn);
    try (var channel = FileChannel.open(oneDnn, StandardOpenOption.WRITE)) {
      channel.truncate(size / 2);
    }
    assertLoaded(finish(start(CLASS_PATH, "-Dgatun.cache=" + cache)), cache);
    assertEquals(size, Files.size(oneDnn));
  }

  @Test
  void anOverrideIsLoadedInsteadOfWhatIsBundled() throws Exception {
    Path bundled = NativeLibraries.report().get(1).path();
    assertNotNull(bundled);
    Result result =
        finish(start(withoutNativeJars(), "-Dgatun.onednn=" + bundled, "-Dgatun.openblas=none"));
    assertEquals(0, result.status, result.output);
    assertTrue(result.output.contains("oneDNN true"), result.output);
    assertTrue(result.output.contains("OpenBLAS false switched off"), result.output);
  }

  @Test
  void wrongOverridesAreErrors() throws Exception {
    Path absent = dir.resolve("absent.so");
    assertRefused("-Dgatun.openblas=" + absent, "there is no such file");
    Path text = Files.writeString(dir.resolve("text.so"), "not a library");
    assertRefused("-Dgatun.onednn=" + text, text.toString());
    // A library, but another one.
    String openBlas = NativeLibraries.report().get(0).path().toString();
    assertRefused("-Dgatun.onednn=" + openBlas, "has no function dnnl_");
  }

  private static void assertRefused(String option, String why) throws Exception {
    Result result = finish(start(CLASS_PATH, option));
    assertEquals(1, result.status, result.output);
    assertTrue(result.output.contains("IllegalArgumentException: " + option), result.output);
    assertTrue(result.output.contains(why), result.output);
  }

  @Test
  void oneDnnCanBeSwitchedOff() throws Exception {
    Result result = finish(start(CLASS_PATH, "-Dgatun.onednn=none"));
    assertEquals(0, result.status, result.output);
    assertTrue(result.output.contains("oneDNN false switched off by -Dgatun.onednn=none"));
    assertTrue(result.output.contains("OpenBLAS true"), result.output);
    assertFalse(result.output.contains("WARN"), result.output);
  }

  @Test
  void withoutTheNativeJarsThereIsOneWarningForEach() throws Exception {
    Result result = finish(start(withoutNativeJars()));
    assertEquals(0, result.status, result.output);
    assertTrue(result.output.contains("oneDNN false org/bytedeco/dnnl/"), result.output);
    assertTrue(result.output.contains("OpenBLAS false org/bytedeco/openblas/"), result.output);
    assertEquals(2, result.output.split("WARN", -1).length - 1, result.output);
  }

  private static void assertLoaded(Result result, Path cache) {
    assertEquals(0, result.status, result.output);
    assertTrue(result.output.contains("OpenBLAS true"), result.output);
    assertTrue(result.output.contains("oneDNN true"), result.output);
    assertTrue(result.output.contains(cache.toString()), result.output);
  }

  private static List<Path> files(Path cache) throws IOException {
    try (Stream<Path> files = Files.walk(cache)) {
      return files.filter(Files::isRegularFile).toList();
    }
  }

  private static String withoutNativeJars() {
    return Stream.of(CLASS_PATH.split(File.pathSeparator))
        .filter(entry -> !entry.contains("bytedeco"))
        .collect(Collectors.joining(File.pathSeparator));
  }

  private static Process start(String classPath, String... options) throws IOException {
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-cp", classPath));
    command.addAll(List.of(options));
    command.add(NativeProbe.class.getName());
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }

  private static Result finish(Process process) throws Exception {
    CompletableFuture.delayedExecutor(2, TimeUnit.MINUTES).execute(process::destroyForcibly);
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Result(process.waitFor(), output);
  }
}
