package io.gatun.tools.options;

import io.gatun.models.NamedModels;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.Model.CommandSpec;

/// What users give to `--model`: a path, or a name, whose model is fetched if it is not there.
public final class ModelNames {
  private ModelNames() {}

  /// Where the model lies; the user sees how far a download is.
  public static Path find(CommandSpec command, Path pathOrName) {
    try (var progress = new PullProgress(command)) {
      return NamedModels.find(pathOrName.toString(), o -> o.progress(progress));
    }
  }

  /// The path or name as an index keeps it: a path means the same wherever it is read.
  public static String lasting(Path pathOrName) {
    return (Files.exists(pathOrName) ? pathOrName.toAbsolutePath().normalize() : pathOrName)
        .toString();
  }
}
