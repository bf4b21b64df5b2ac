package io.gatun.models;

import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.hub.Hub;
import io.gatun.loaders.hub.HubName;
import io.gatun.loaders.hub.HubOptions;
import io.gatun.loaders.hub.OllamaStore;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/// What users call models: the path of a file or a folder, the name of a model that comes with
/// Gatun ([Pretrained#NAMES]), a name on the Hugging Face hub ([Hub]), which is fetched if it is
/// not there, or `ollama:NAME` for what Ollama has fetched ([OllamaStore]).
///
/// What lies at a path counts first. `ORG/MODEL` is not fetched where there is a folder `ORG`, nor
/// if it ends as a checkpoint's file does: then a path is meant, which has an error in it. `hf:`
/// before it makes it a name wherever it is used.
public final class NamedModels {
  private static final Pattern FILE =
      Pattern.compile("[^:]*\\.(safetensors|gguf|pth|pt|bin|ckpt|json)");

  private NamedModels() {}

  /// Where a model lies.
  ///
  /// @throws CheckpointException if there is none, or it cannot be fetched
  public static Path find(String pathOrName) {
    return find(pathOrName, o -> {});
  }

  /// Where a model lies.
  ///
  /// @throws CheckpointException if there is none, or it cannot be fetched
  public static Path find(Path pathOrName) {
    return find(Objects.requireNonNull(pathOrName, "the path is null").toString());
  }

  /// Where a model lies.
  ///
  /// @param choose how it is fetched, if it is a name of the hub
  /// @throws CheckpointException if there is none, or it cannot be fetched
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  public static Path find(String pathOrName, Consumer<HubOptions> choose) {
    Path here = findHere(Objects.requireNonNull(pathOrName, "the path is null"));
    if (here != null) {
      return here;
    }
    if (pathOrName.startsWith(HubName.PREFIX)) {
      return Hub.open(pathOrName, choose);
    }
    if (pathOrName.startsWith(OllamaStore.PREFIX)) {
      return OllamaStore.find(pathOrName);
    }
    if (HubName.isLike(pathOrName) && !FILE.matcher(pathOrName).matches()) {
      String folder = pathOrName.substring(0, pathOrName.indexOf('/'));
      if (!Files.isDirectory(Path.of(folder))) {
        return Hub.open(pathOrName, choose);
      }
      throw new CheckpointException(
          "%s: there is no such file or directory in %s, which is a folder here. If it is a name on the hub, write hf:%s"
              .formatted(pathOrName, folder, pathOrName));
    }
    throw new CheckpointException(
        "%s: there is no such file or directory. Models that come with Gatun go by their names: %s. Those of the Hugging Face hub do, too: ORG/MODEL, or ORG/MODEL:QUANT"
            .formatted(pathOrName, String.join(", ", Pretrained.NAMES)));
  }

  /// The same for names that each have a number.
  static Map<Path, Double> findAll(Map<Path, Double> named) {
    var found = new LinkedHashMap<Path, Double>();
    named.forEach((pathOrName, number) -> found.put(find(pathOrName), number));
    return found;
  }

  /// Where a model lies that is a path, or comes with Gatun; null for others.
  ///
  /// @throws CheckpointException if it should have come with Gatun, and has not
  static Path findHere(String pathOrName) {
    Path path = path(pathOrName);
    if (path != null && Files.exists(path)) {
      return path;
    }
    return Pretrained.NAMES.contains(pathOrName) ? Pretrained.path(pathOrName) : null;
  }

  /// Null for what is no path on this system.
  private static Path path(String text) {
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      return null;
    }
  }
}
