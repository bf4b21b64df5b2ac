package io.gatun.models.clip;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.LoadMode;
import io.gatun.models.NamedModels;
import io.gatun.tensor.ops.Backend;
import io.gatun.tensor.ops.Ops;
import java.nio.file.Files;
import java.nio.file.Path;

/// Opens Hugging Face's directory of a model with CLIP's towers: weights, config.json, tokenizer.
public final class ClipDirectory {
  private ClipDirectory() {}

  /// Makes a model, which closes the checkpoint and the operations in the end.
  @FunctionalInterface
  public interface Maker<M> {
    M make(Checkpoint checkpoint, Path directory, Ops ops);
  }

  /// Opens a directory for a model. What was opened is closed again where the model cannot be made.
  ///
  /// @param pathOrName what [NamedModels] knows
  /// @param whose the model's name, for messages
  /// @throws CheckpointException if there is no such model, or Gatun cannot run it
  public static <M> M load(
      Path pathOrName, String whose, Backend backend, int threads, Maker<M> maker) {
    Path directory = NamedModels.find(pathOrName);
    if (!Files.isDirectory(directory)) {
      throw new CheckpointException(
          "%s: is not a directory; need %s's, with its config.json and its tokenizer"
              .formatted(directory, whose));
    }
    var checkpoint = Checkpoint.open(directory, LoadMode.MAP);
    try {
      var ops = new Ops(backend, threads);
      try {
        return maker.make(checkpoint, directory, ops);
      } catch (RuntimeException | Error e) {
        ops.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      checkpoint.close();
      throw e;
    }
  }
}
