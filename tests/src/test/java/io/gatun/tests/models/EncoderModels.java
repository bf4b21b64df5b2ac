package io.gatun.tests.models;

import io.gatun.tests.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/// The folders of small encoders with recorded results, here and, where it is there, beside the
/// project.
final class EncoderModels {
  static final Path OURS = TestData.ROOT.resolve("tests/src/test/resources/encoder");

  private EncoderModels() {}

  /// Those of ours with that name.
  static Path ours(String name) {
    return TestData.complete(OURS.resolve(name));
  }

  /// Those that have vectors.
  static List<Path> embedders() throws IOException {
    return all(true);
  }

  /// Those that have scores.
  static List<Path> rerankers() throws IOException {
    return all(false);
  }

  private static List<Path> all(boolean embedders) throws IOException {
    var found = new ArrayList<Path>();
    for (Path folder : List.of(OURS, TestData.ROOT.resolveSibling("shared/testdata/hf-embed"))) {
      if (Files.isDirectory(folder)) {
        try (Stream<Path> models = Files.list(folder)) {
          models
              .filter(m -> Files.exists(m.resolve("config.json")))
              .filter(m -> Files.exists(m.resolve("modules.json")) == embedders)
              .sorted()
              .map(TestData::complete)
              .forEach(found::add);
        }
      }
    }
    return found;
  }
}
