package io.gatun.models.rewrite;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;

/// The directory that a model lies in: which files of it belong to the model, and whether something
/// else would be written over them.
final class ModelFolder {
  private static final String TOKENIZER =
      "tokenizer(_config)?\\.(json|model|bin)|tokenizer\\.model\\.v\\d|tok\\d+\\.bin|vocab\\.(json|txt)"
          + "|merges\\.txt|special_tokens_map\\.json|added_tokens\\.json|chat_template\\.(jinja|json)";

  /// And configuration, and licences, which ask to go along.
  private static final String COMPANIONS =
      TOKENIZER
          + "|(generation_)?config\\.json|params\\.json"
          + "|(?i:(licen[sc]e|notice|use_policy|model_card|readme)([-_][\\w-]+)?(\\.(md|txt|rst))?)";

  private ModelFolder() {}

  /// @param model a directory, or a file in it
  static Path of(Path model) {
    return Files.isDirectory(model) ? model : model.toAbsolutePath().getParent();
  }

  /// The files that go with the weights, by name.
  ///
  /// @throws CheckpointException if one is a link that leads elsewhere
  static Map<String, Path> companions(Path directory) throws IOException {
    return files(directory, COMPANIONS);
  }

  /// The files of the tokenizer alone, by name.
  ///
  /// @throws CheckpointException if one is a link that leads elsewhere
  static Map<String, Path> tokenizer(Path directory) throws IOException {
    return files(directory, TOKENIZER);
  }

  private static Map<String, Path> files(Path directory, String names) throws IOException {
    var found = new LinkedHashMap<String, Path>();
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.sorted().toList()) {
        String name = file.getFileName().toString();
        if (name.matches(names) && Files.isRegularFile(file)) {
          found.put(name, withoutLinks(directory.toRealPath(), file));
        }
      }
    }
    return found;
  }

  /// A link stays in its directory or, in a cache of the Hugging Face hub, leads to that model's
  /// blobs. Any other may publish what the user does not mean to.
  private static Path withoutLinks(Path directory, Path file) throws IOException {
    Path real = file.toRealPath();
    if (real.startsWith(directory)) {
      return real;
    }
    for (Path above = directory; above.getParent() != null; above = above.getParent()) {
      if (above.endsWith("snapshots") && real.startsWith(above.resolveSibling("blobs"))) {
        return real;
      }
    }
    throw new CheckpointException(
        "%s: is a link to %s, outside of the model's directory, and would be copied with the model; put the file itself there, or remove the link"
            .formatted(file, real));
  }

  /// Opens a file as it was found: if a link has taken its place, it fails.
  static InputStream read(Path file) throws IOException {
    return Files.newInputStream(file, LinkOption.NOFOLLOW_LINKS);
  }

  /// Makes sure that writing leaves the model itself alone, whatever the links and names.
  ///
  /// @param out the new file, or the new directory
  /// @throws CheckpointException if `out` is a file of the model, or a directory that is the
  ///   model's, is in it, or is the one above
  static void requireOutside(Checkpoint model, Path out, boolean isDirectory) {
    Path directory = of(model.path());
    try {
      boolean isModel =
          Files.isDirectory(model.path()) || Files.exists(directory.resolve("config.json"));
      if (isDirectory && isModel) {
        Path real = directory.toRealPath();
        Path there = realPath(out);
        if (there.startsWith(real) || there.equals(real.getParent())) {
          throw new CheckpointException(
              "%s: is where the model itself lies, or in it, or right above; choose a directory beside %s"
                  .formatted(out, directory));
        }
      }
      var files = new LinkedHashMap<String, Path>();
      try (Stream<Path> list = Files.list(directory)) {
        list.filter(f -> f.getFileName().toString().matches(COMPANIONS + "|.*\\.index\\.json"))
            .forEach(f -> files.put(f.getFileName().toString(), f));
      }
      model.parts().forEach(part -> files.put(part.path().getFileName().toString(), part.path()));
      for (var file : files.entrySet()) {
        requireOther(file.getValue(), out);
        if (isDirectory) {
          requireOther(file.getValue(), out.resolve(file.getKey()));
          requireOther(file.getValue(), out.resolve("model.safetensors"));
        }
      }
    } catch (IOException e) {
      throw new CheckpointException("%s: cannot be written: %s".formatted(out, e), e);
    }
  }

  private static void requireOther(Path file, Path out) throws IOException {
    if (Files.exists(out) && Files.exists(file) && Files.isSameFile(file, out)) {
      throw new CheckpointException(
          "%s: is %s, a file of the model that is read; choose another place to write"
              .formatted(out, file));
    }
  }

  /// Of what need not be there itself.
  private static Path realPath(Path path) throws IOException {
    Path existing = path.toAbsolutePath();
    var rest = Path.of("");
    while (!Files.exists(existing)) {
      rest = existing.getFileName().resolve(rest);
      existing = existing.getParent();
    }
    return existing.toRealPath().resolve(rest).normalize();
  }
}
