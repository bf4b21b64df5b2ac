package io.gatun.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.googlejavaformat.java.Formatter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Every source file is as google-java-format leaves it; `-Dgatun.format=write` makes it so.
class FormatTest {
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
    var formatter = new Formatter();
    boolean write = "write".equals(System.getProperty("gatun.format"));
    var wrong = new ArrayList<Path>();
    for (String module : MODULES) {
      try (var files = Files.walk(TestData.ROOT.resolve(module).resolve("src"))) {
        for (Path file : files.filter(FormatTest::isOurs).toList()) {
          String source = Files.readString(file);
          String formatted = formatter.formatSourceAndFixImports(source);
          if (!source.equals(formatted)) {
            wrong.add(file);
            if (write) {
              Files.writeString(file, formatted);
            }
          }
        }
      }
    }
    assertEquals(List.of(), write ? List.of() : wrong, "run: mvn verify -Dgatun.format=write");
  }

  private static boolean isOurs(Path file) {
    String path = file.toString().replace('\\', '/');
    return path.endsWith(".java")
        && !path.matches(".*/io/gatun/ffm/(openblas|onednn|omp|posix)/.*");
  }
}
