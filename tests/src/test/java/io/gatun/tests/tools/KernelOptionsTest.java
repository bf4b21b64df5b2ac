package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.HotSpotDiagnosticMXBean;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What the kernels need of the JVM stands in one file, which all that start one read.
class KernelOptionsTest {
  private static final Path FILE = TestData.ROOT.resolve("tools/kernel.options");

  @ParameterizedTest
  @ValueSource(
      strings = {
        "tools/gatun",
        "tests/pom.xml",
        "README.md",
        "benchmarks/src/jmh/io/gatun/benchmarks/NetworkOperations.java",
        "benchmarks/src/jmh/io/gatun/benchmarks/WeightProducts.java"
      })
  void whateverStartsJavaReadsTheFile(String file) throws IOException {
    String text = Files.readString(TestData.ROOT.resolve(file));
    assertTrue(text.contains("tools/kernel.options"), file);
  }

  /// An option of a kernel's elsewhere would be one that the others lack.
  @Test
  void noOtherFileHasItsOptions() throws IOException {
    var found = new TreeSet<String>();
    for (String folder : new String[] {"tools", "tests", "benchmarks"}) {
      try (var files = Files.walk(TestData.ROOT.resolve(folder))) {
        for (Path file : files.filter(KernelOptionsTest::isSource).toList()) {
          if (Files.readString(file).contains("-XX:" + "CompileCommand=")) {
            found.add(TestData.ROOT.relativize(file).toString());
          }
        }
      }
    }
    assertEquals(Set.of("tools/kernel.options"), found);
  }

  private static boolean isSource(Path file) {
    return Files.isRegularFile(file)
        && !file.toString().contains("target")
        && file.getFileName().toString().matches("gatun|.*\\.(java|xml|jsh|options)");
  }

  @Test
  void eachOptionHasItsReason() throws IOException {
    Pattern.compile("\n\n")
        .splitAsStream(Files.readString(FILE))
        .forEach(paragraph -> assertTrue(paragraph.startsWith("# "), paragraph));
  }

  /// JDK-8380060: with them, strings can be damaged.
  @Test
  void objectHeadersAreNotCompact() {
    var jvm = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
    assertEquals("false", jvm.getVMOption("UseCompactObjectHeaders").getValue());
  }
}
