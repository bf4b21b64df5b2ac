package io.gatun.tests;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/// Where the tests find their files.
public final class TestData {
  /// The project's root.
  public static final Path ROOT = root();

  private static final Path OURS = ROOT.resolve("tests/src/test/resources/testdata");

  /// Folders of ours, with the weights that are only described there.
  private static final Map<Path, Path> WRITTEN = new ConcurrentHashMap<>();

  private TestData() {}

  /// A file of the small models that ship with Gatun.
  public static Path pretrained(String name) {
    return ROOT.resolve("models/pretrained").resolve(name);
  }

  /// A file of the test data, part of which is too large for the repository and lies beside the
  /// project; where that is absent the calling test is skipped. `x.safetensors.json` beside a
  /// model's other files describes `x.safetensors`, see [RandomWeights].
  public static Path shared(String name) {
    String folder = name.split("/", 2)[0];
    Path ours = complete(OURS.resolve(folder));
    Path file = ours.resolveSibling(folder + name.substring(folder.length()));
    if (Files.exists(file)) {
      return file;
    }
    Path path = ROOT.resolveSibling("shared").resolve("testdata").resolve(name);
    assumeTrue(Files.exists(path), () -> "no test data at " + path);
    return path;
  }

  /// What lies in a folder of the test data, of ours and of what lies beside the project.
  public static Set<String> names(String folder) throws IOException {
    var names = new TreeSet<String>();
    Path beside = ROOT.resolveSibling("shared").resolve("testdata");
    for (Path path : List.of(OURS.resolve(folder), beside.resolve(folder))) {
      if (Files.isDirectory(path)) {
        try (var files = Files.list(path)) {
          files.forEach(file -> names.add(file.getFileName().toString()));
        }
      }
    }
    return names;
  }

  /// The folders in a folder of the test data, by name. Where none is there the calling test is
  /// skipped.
  public static List<Path> folders(String folder) throws IOException {
    var folders =
        names(folder).stream()
            .map(name -> shared(folder + "/" + name))
            .filter(Files::isDirectory)
            .toList();
    assumeTrue(!folders.isEmpty(), () -> "no test data in " + folder);
    return folders;
  }

  /// A folder, or, where it only describes weights, a copy in which they are written.
  public static Path complete(Path folder) {
    return WRITTEN.computeIfAbsent(folder, TestData::written);
  }

  private static Path written(Path folder) {
    try {
      if (!Files.isDirectory(folder)) {
        return folder;
      }
      try (var files = Files.walk(folder)) {
        if (files.noneMatch(f -> f.toString().endsWith(".safetensors.json"))) {
          return folder;
        }
      }
      Path parent = Files.createTempDirectory("gatun-testdata");
      Runtime.getRuntime().addShutdownHook(new Thread(() -> delete(parent)));
      try (var files = Files.walk(folder)) {
        for (Path file : (Iterable<Path>) files::iterator) {
          Path copy = parent.resolve(folder.getParent().relativize(file).toString());
          if (Files.isDirectory(file)) {
            Files.createDirectories(copy);
          } else if (file.toString().endsWith(".safetensors.json")) {
            RandomWeights.write(file, Path.of(copy.toString().replaceFirst("\\.json$", "")));
          } else {
            Files.copy(file, copy);
            if (file.endsWith("tokenizer_config.json") && isPartOfPipeline(file)) {
              ClipVocabulary.write(copy.getParent());
            }
          }
        }
      }
      return parent.resolve(folder.getFileName());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// In a folder for the tokenizer alone, whose vocabulary is CLIP's.
  private static boolean isPartOfPipeline(Path tokenizerConfig) {
    return Files.exists(tokenizerConfig.resolveSibling("../model_index.json").normalize());
  }

  private static void delete(Path folder) {
    try (var files = Files.walk(folder)) {
      for (Path file : (Iterable<Path>) files.sorted(Comparator.reverseOrder())::iterator) {
        Files.delete(file);
      }
    } catch (IOException e) {
      // It is a temporary folder.
    }
  }

  private static Path root() {
    Path dir = Path.of("").toAbsolutePath();
    while (!Files.exists(dir.resolve("models/pretrained"))) {
      dir = dir.getParent();
    }
    return dir;
  }
}
