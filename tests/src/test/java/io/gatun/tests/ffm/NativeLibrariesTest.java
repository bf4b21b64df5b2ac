package io.gatun.tests.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.ffm.NativeLibraries;
import io.gatun.ffm.NativeLibrary;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
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
        files.stream()
            .filter(f -> f.toString().matches(".*dnnl\\.[^/]*(?<!stamp)"))
            .findFirst()
            .orElseThrow();
    // Damage that neither the size nor the time shows.
    var time = Files.getLastModifiedTime(oneDnn);
    Path whole = Files.copy(oneDnn, dir.resolve("whole"));
    try (var channel = FileChannel.open(oneDnn, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.allocate(1 << 20), 4096);
    }
    Files.setLastModifiedTime(oneDnn, time);
    assertLoaded(finish(start(CLASS_PATH, "-Dgatun.cache=" + cache)), cache);
    assertEquals(-1, Files.mismatch(whole, oneDnn));
    for (Path file : files(cache.resolve("natives"))) {
      assertEquals(
          "rwx------",
          PosixFilePermissions.toString(Files.getPosixFilePermissions(file.getParent())));
    }
  }

  /// In a folder like /tmp anybody can put a file where the library would be, of the right size.
  @Test
  void aPlantedLibraryIsNotLoaded() throws Exception {
    Path shared = Files.createDirectories(dir.resolve("everybody's"));
    for (NativeLibrary library : NativeLibraries.report()) {
      String name = library.path().getFileName().toString();
      Path folder = shared.resolve("natives").resolve(library.path().getParent().getFileName());
      Path planted = Files.createDirectories(folder).resolve(name);
      try (var channel =
          FileChannel.open(planted, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        channel.write(ByteBuffer.allocate(1), Files.size(library.path()) - 1);
      }
    }
    Files.setAttribute(shared, "unix:mode", 01777);
    Path own = shared.resolve("gatun-" + Files.getAttribute(shared, "unix:uid"));
    assertLoaded(finish(start(CLASS_PATH, "-Dgatun.cache=" + shared)), own);

    // A library looks for others in its own folder first.
    Path folder = files(own.resolve("natives")).getFirst().getParent();
    Path extra = Files.createFile(folder.resolve("libm.so.6"));
    Result result = finish(start(CLASS_PATH, "-Dgatun.cache=" + shared));
    assertTrue(result.output.contains(extra + " is not of Gatun's making"), result.output);
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
