package io.gatun.server.models;

import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.hub.Hub;
import io.gatun.models.NamedModels;
import io.gatun.server.http.ApiException;
import io.gatun.server.http.Settings;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.eclipse.jetty.http.HttpStatus;

/// The models that may be asked for, by name. Of their files only the headers have been read.
public final class Catalog {
  private static final Pattern ENDING = Pattern.compile("\\.(gguf|safetensors|pth|pt|bin)$");
  private static final Pattern FILE = Pattern.compile(".*\\.(gguf|safetensors|pth)");

  /// One of them.
  ///
  /// @param bytes of its files
  public record Entry(String name, Path path, Use use, long bytes, Instant changed) {}

  private final SequencedMap<String, Entry> entries = new LinkedHashMap<>();

  /// @throws CheckpointException if a model cannot be read, or there is none
  Catalog(Settings settings) {
    settings.models.forEach((name, path) -> add(name, NamedModels.find(path)));
    if (settings.folder != null) {
      for (Path path : inFolder(settings.folder)) {
        try {
          if (!entries.containsKey(name(path))) {
            add(name(path), path);
          }
        } catch (CheckpointException e) {
          settings.notices.accept("left out: " + e.getMessage());
        }
      }
    }
    if (entries.isEmpty()) {
      throw new CheckpointException(
          settings.folder == null
              ? "there is no model to serve: name one with --model, or a folder of them with"
                  + " --models"
              : settings.folder + ": there is no model in this folder that Gatun can read");
    }
  }

  /// What a path's model is called.
  public static String name(Path path) {
    if (Files.isDirectory(path) && Hub.nameOf(path).isPresent()) {
      return Hub.nameOf(path).get();
    }
    String file = path.toAbsolutePath().normalize().getFileName().toString();
    return ENDING.matcher(file).replaceFirst("");
  }

  private void add(String name, Path path) {
    try {
      var changed = Files.getLastModifiedTime(path).toInstant();
      entries.put(name, new Entry(name, path, Use.of(path), bytes(path), changed));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<Path> inFolder(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .filter(
              file ->
                  Files.isDirectory(file)
                      ? Files.exists(file.resolve("config.json"))
                          || Files.exists(file.resolve("model_index.json"))
                      : FILE.matcher(file.getFileName().toString()).matches())
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new CheckpointException(folder + ": cannot be listed: " + e.getMessage(), e);
    }
  }

  private static long bytes(Path path) throws IOException {
    if (!Files.isDirectory(path)) {
      return Files.size(path);
    }
    try (Stream<Path> files = Files.walk(path)) {
      long sum = 0;
      for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile)::iterator) {
        sum += Files.size(file);
      }
      return sum;
    }
  }

  /// All that may be asked for.
  public List<Entry> list() {
    return List.copyOf(entries.values());
  }

  /// The model of a name.
  ///
  /// @param name null for the first of this use
  /// @throws ApiException if there is none
  public Entry find(String name, Use use) {
    if (name == null || name.isEmpty()) {
      return entries.values().stream()
          .filter(entry -> entry.use() == use)
          .findFirst()
          .orElseThrow(() -> notFound("there is no model for " + use.word()));
    }
    var entry = entries.get(name);
    if (entry == null && name.endsWith(":latest")) { // as Ollama's clients say
      entry = entries.get(name.substring(0, name.lastIndexOf(':')));
    }
    if (entry == null) {
      throw notFound("there is no model \"%s\"".formatted(name));
    }
    return entry;
  }

  private ApiException notFound(String what) {
    return ApiException.of(
        HttpStatus.NOT_FOUND_404,
        "model_not_found",
        "model",
        what + "; this server has " + String.join(", ", entries.keySet()));
  }
}
