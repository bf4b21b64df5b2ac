package io.gatun.loaders.hub;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.CheckpointException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// The models that Ollama has fetched: `ollama:NAME`, `ollama:NAME:TAG`, `ollama:USER/NAME`,
/// `ollama:hf.co/ORG/MODEL:QUANT`. They are read where they lie (`OLLAMA_MODELS`, else
/// `~/.ollama/models`, else the Linux service's folder), and never changed.
public final class OllamaStore {
  /// What such names begin with.
  public static final String PREFIX = "ollama:";

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String KIND = "application/vnd.ollama.image.";
  private static final String REGISTRY = "registry.ollama.ai";
  private static final int MAX_MANIFEST = 1 << 20;
  private static final Pattern DIGEST = Pattern.compile("sha256[:-]([0-9a-f]{64})");

  private OllamaStore() {}

  /// The file of a model.
  ///
  /// @param name with [#PREFIX]
  /// @throws CheckpointException if it is not there, or is more than a file that Gatun reads
  public static Path find(String name) {
    String path = name.substring(PREFIX.length());
    int colon = path.lastIndexOf(':');
    String tag = colon < 0 ? "latest" : path.substring(colon + 1);
    String model = colon < 0 ? path : path.substring(0, colon);
    HubPaths.check(model + "/" + tag, "the name");
    String full =
        switch (model.split("/", -1).length) {
          case 1 -> REGISTRY + "/library/" + model;
          case 2 -> REGISTRY + "/" + model;
          default -> model;
        };
    for (Path root : roots()) {
      Path manifest = root.resolve("manifests").resolve(full).resolve(tag);
      if (Files.isRegularFile(manifest)) {
        return file(name, root, manifest);
      }
    }
    var there = list().stream().map(CachedModel::name).toList();
    throw new CheckpointException(
        "%s: Ollama has not fetched it; there %s. Fetch it with: ollama pull %s"
            .formatted(
                name, there.isEmpty() ? "is nothing" : "are " + String.join(", ", there), path));
  }

  /// All models.
  public static List<CachedModel> list() {
    var found = new ArrayList<CachedModel>();
    for (Path root : roots()) {
      Path manifests = root.resolve("manifests");
      try (Stream<Path> files = Files.walk(manifests)) {
        for (Path manifest : files.filter(Files::isRegularFile).sorted().toList()) {
          add(root, manifests.relativize(manifest), manifest, found);
        }
      } catch (IOException | UncheckedIOException e) {
        // None, or not for this user to see.
      }
    }
    return found;
  }

  private static void add(Path root, Path name, Path manifest, List<CachedModel> found)
      throws IOException {
    if (name.getNameCount() < 3) {
      return;
    }
    String model =
        name.getParent()
            .toString()
            .replace('\\', '/')
            .replaceFirst("^" + REGISTRY + "/(library/)?", "");
    String full = PREFIX + model + ":" + name.getFileName();
    try {
      Path file = file(full, root, manifest);
      found.add(
          new CachedModel(
              full, Files.size(file), Files.getLastModifiedTime(manifest).toInstant(), file, true));
    } catch (CheckpointException e) {
      // Not one of ours; who names it is told why.
    }
  }

  private static List<Path> roots() {
    String named = HubSettings.get("OLLAMA_MODELS");
    return named != null
        ? List.of(HubSettings.path(named))
        : List.of(
            HubSettings.userHome().resolve(".ollama").resolve("models"),
            Path.of("/usr/share/ollama/.ollama/models"));
  }

  private static Path file(String name, Path root, Path manifest) {
    JsonNode layers = read(manifest).path("layers");
    var models = new ArrayList<Path>();
    for (JsonNode layer : layers) {
      String kind = layer.path("mediaType").asText();
      if (kind.equals(KIND + "adapter")) {
        throw new CheckpointException(
            "%s: has an adapter, which changes what its model answers and which Gatun does not apply; use the model that it is made from"
                .formatted(name));
      }
      if (kind.equals(KIND + "model")) {
        models.add(
            blob(root, layer.path("digest").asText())
                .orElseThrow(
                    () ->
                        new CheckpointException(
                            "%s: %s names weights that are not there; mend it with: ollama pull %s"
                                .formatted(name, manifest, name.substring(PREFIX.length())))));
      }
    }
    if (models.size() != 1) {
      throw new CheckpointException(
          "%s: %s names %d files of weights; need one GGUF file"
              .formatted(name, manifest, models.size()));
    }
    return models.getFirst();
  }

  private static Optional<Path> blob(Path root, String digest) {
    var hash = DIGEST.matcher(digest);
    if (!hash.matches()) {
      return Optional.empty();
    }
    Path blobs = root.resolve("blobs");
    return Stream.of("sha256-", "sha256:")
        .map(start -> blobs.resolve(start + hash.group(1)))
        .filter(Files::isRegularFile)
        .findFirst();
  }

  private static JsonNode read(Path manifest) {
    try {
      if (Files.size(manifest) > MAX_MANIFEST) {
        throw new CheckpointException(manifest + ": is too large for a manifest");
      }
      return JSON.readTree(manifest.toFile());
    } catch (IOException e) {
      throw new CheckpointException(
          "%s: is no manifest of Ollama's: %s".formatted(manifest, e.getMessage()), e);
    }
  }
}
