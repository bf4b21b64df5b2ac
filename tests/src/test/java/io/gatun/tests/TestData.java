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

  /// A file of the test data beside the project; where it is absent the calling test is skipped.
  public static Path shared(String name) {
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
