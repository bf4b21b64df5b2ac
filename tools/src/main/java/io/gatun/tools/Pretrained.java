package io.gatun.tools;

import io.gatun.loaders.CheckpointException;
import java.nio.file.Files;
import java.nio.file.Path;

/// The small models that come with Gatun.
final class Pretrained {
  private Pretrained() {}

  /// Where a model lies; the launcher says where Gatun is.
  static Path path(String name) {
    String home = System.getProperty("gatun.home");
    Path path = Path.of(home == null ? "" : home).resolve("models/pretrained").resolve(name);
    if (!Files.exists(path)) {
      throw new CheckpointException(
          "no model is given, and %s, which comes with Gatun, is not at %s. Give --model PATH"
              .formatted(name, path.toAbsolutePath()));
    }
    return path;
  }
}
