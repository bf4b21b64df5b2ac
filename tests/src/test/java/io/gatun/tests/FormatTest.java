package io.gatun.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.googlejavaformat.java.Formatter;
import com.google.googlejavaformat.java.FormatterException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/// Every source file is as google-java-format leaves it; `-Dgatun.format=write` makes it so.
@Execution(ExecutionMode.CONCURRENT)
class FormatTest {
  private static final boolean WRITE = "write".equals(System.getProperty("gatun.format"));

  private static final List<String> MODULES =
      List.of(
          "ffm-bindings",
          "tensor",
          "loaders",
          "models",
          "tools",
          "tools/server",
          "tests",
          "benchmarks");

  @Test
  void sourcesAreFormatted() throws Exception {
    var sources = new ArrayList<Path>();
    for (String module : MODULES) {
      try (var files = Files.walk(TestData.ROOT.resolve(module).resolve("src"))) {
        files.filter(FormatTest::isOurs).forEach(sources::add);
      }
    }
    var wrong = sources.parallelStream().filter(file -> !isFormatted(file)).toList();
    assertEquals(List.of(), WRITE ? List.of() : wrong, "run: mvn verify -Dgatun.format=write");
  }

  private static boolean isFormatted(Path file) {
    try {
      String source = Files.readString(file);
      String formatted = new Formatter().formatSourceAndFixImports(source);
      if (WRITE && !source.equals(formatted)) {
        Files.writeString(file, formatted);
      }
      return source.equals(formatted);
    } catch (IOException | FormatterException e) {
      throw new IllegalStateException(file.toString(), e);
    }
  }

  private static boolean isOurs(Path file) {
    String path = file.toString().replace('\\', '/');
    return path.endsWith(".java")
        && !path.matches(".*/io/gatun/ffm/(openblas|onednn|omp|posix)/.*");
  }
}
