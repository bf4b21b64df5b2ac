package io.gatun.tests;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/// Where the tests find their files.
public final class TestData {
  /// The project's root.
  public static final Path ROOT = root();

  private TestData() {}

  /// A file of the small models that ship with Gatun.
  public static Path pretrained(String name) {
    return ROOT.resolve("models/pretrained").resolve(name);
  }

  /// A file of the test data, most of which is too large for the repository and lies beside the
  /// project; where that is absent the calling test is skipped.
  public static Path shared(String name) {
    Path ours = ROOT.resolve("tests/src/test/resources/testdata").resolve(name);
    if (Files.exists(ours)) {
      return ours;
    }
    Path path = ROOT.resolveSibling("shared").resolve("testdata").resolve(name);
    assumeTrue(Files.exists(path), () -> "no test data at " + path);
    return path;
  }

  private static Path root() {
    Path dir = Path.of("").toAbsolutePath();
    while (!Files.exists(dir.resolve("models/pretrained"))) {
      dir = dir.getParent();
    }
    return dir;
  }
}
