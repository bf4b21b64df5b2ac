package io.gatun.models;

import io.gatun.loaders.CheckpointException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// The small models that come with Gatun, in `models/pretrained` of its sources; its jars do not
/// hold them.
///
/// `Llm.load("tiny-llm")`, `Sam.load("tiny-sam")`, `StableDiffusion.load("tiny-sd")` and the
/// command line's `--model` know them by name ([NamedModels]).
public final class Pretrained {
  /// Their names.
  public static final List<String> NAMES = List.of("tiny-llm", "tiny-sam", "tiny-sd");

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
          "%s comes with Gatun's sources, not with its jars, and is not at %s. Name a model's path, or set -Dgatun.home to the folder that holds the sources"
              .formatted(name, path.toAbsolutePath()));
    }
    return path;
  }
}
