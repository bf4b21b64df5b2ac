package io.gatun.models;

import io.gatun.loaders.CheckpointException;
import java.nio.file.Files;
import java.nio.file.Path;

/// The small models that come with Gatun.
public final class Pretrained {
  private Pretrained() {}

  /// Where a model lies: `tiny-llm`.
  ///
  /// @throws CheckpointException if there is no such model below the folder that the property
  ///   `gatun.home` names, as the launcher does
  public static Path path(String name) {
    String home = System.getProperty("gatun.home", "");
    Path path = Path.of(home, "models", "pretrained", name);
    if (!Files.exists(path)) {
      throw new CheckpointException(
          "%s, which comes with Gatun, is not at %s. Name the model's path, or set -Dgatun.home to the"
                  .formatted(name, path.toAbsolutePath())
              + " folder that holds Gatun");
    }
    return path;
  }
}
