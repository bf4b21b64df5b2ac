package io.gatun.loaders;

import io.gatun.tensor.Tensor;
import java.nio.file.Path;
import java.util.Map;

/// A checkpoint: names to tensors, which are views of the mapped files.
///
/// The tensors are valid until the checkpoint is closed.
public interface Checkpoint extends AutoCloseable {
  /// Opens a file, or a directory with a model in it, mapped in place.
  ///
  /// @throws CheckpointException if there is no checkpoint, or it is damaged
  static Checkpoint open(Path path) {
    return open(path, LoadMode.MAP);
  }

  /// Opens a file, or a directory with a model in it.
  ///
  /// @throws CheckpointException if there is no checkpoint, or it is damaged
  static Checkpoint open(Path path, LoadMode mode) {
    if (mode == LoadMode.MAP) {
      throw new CheckpointException(path + ": no format is known yet");
    }
    return open(path);
  }

  /// The file or directory that was opened.
  Path path();

  Format format();

  /// All tensors by name, in the order of the file.
  Map<String, Tensor> tensors();

  /// What the file says of itself: strings in safetensors, typed values and lists in GGUF.
  Map<String, Object> metadata();

  /// The tensor of that name.
  ///
  /// @throws CheckpointException if there is none
  Tensor tensor(String name);

  @Override
  void close();
}
