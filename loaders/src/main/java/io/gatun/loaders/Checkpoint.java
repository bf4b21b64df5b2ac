package io.gatun.loaders;

import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// A checkpoint: names to tensors, which are views of the mapped files.
///
/// The tensors are valid until the checkpoint is closed; the metadata stay valid after it. While a
/// file is mapped nobody may shorten it: the system kills a process that touches the missing part.
/// [LoadMode#COPY] is for files that cannot be trusted to stay as they are.
public interface Checkpoint extends AutoCloseable {
  /// One file of a checkpoint.
  ///
  /// @param bytes its size
  /// @param version the format's version in words: `GGUF v3`
  /// @param tensors how many tensors it holds
  /// @param alignment the largest power of two, up to 4096, that every tensor's offset in the file
  ///   is a multiple of
  record Part(Path path, long bytes, String version, int tensors, int alignment) {}

  /// Opens a file, or a directory with a model in it, mapped in place.
  ///
  /// @throws CheckpointException if there is no checkpoint, or it is damaged
  static Checkpoint open(Path path) {
    return open(path, LoadMode.MAP);
  }

  /// Opens a file, or a directory with a model in it.
  ///
  /// The format is told by the file's content: safetensors, GGUF, or PyTorch. In a directory the
  /// names of Hugging Face are looked for (`model.safetensors`, `model.safetensors.index.json`,
  /// `diffusion_pytorch_model...`, `pytorch_model.bin...`, `consolidated...`), then any single
  /// checkpoint. Files in parts are opened together from their index, or, for GGUF, from the first.
  ///
  /// @throws CheckpointException if there is no checkpoint, or it is damaged
  /// @throws java.util.concurrent.CancellationException if the thread is interrupted
  static Checkpoint open(Path path, LoadMode mode) {
    return LoadedCheckpoint.open(path, mode);
  }

  /// The file or directory that was opened.
  Path path();

  Format format();

  /// The files it is made of.
  List<Part> parts();

  /// All tensors by name, in the order of the files.
  Map<String, Tensor> tensors();

  /// What the files say of themselves: strings in safetensors, typed values and lists in GGUF,
  /// whatever is not a tensor in PyTorch files, with dots between the keys of nested dictionaries.
  Map<String, Object> metadata();

  /// The tensor of that name.
  ///
  /// @throws CheckpointException if there is none
  /// @throws IllegalStateException if the checkpoint is closed
  Tensor tensor(String name);

  /// The file that holds the tensor of that name.
  ///
  /// @throws CheckpointException if there is none
  Path file(String tensor);

  /// Memory that lives as long as the tensors, for what is made of them.
  Arena memory();

  /// Asks the system to read the mapped files into memory in the background, for who is going to
  /// use all tensors soon, as a model is. Opening alone reads nothing but headers. Returns at once.
  void readAhead();

  /// Takes the mapped files out of the process's memory: they will not be read soon. What is read
  /// later comes back by itself, from the system's cache or from the disk. Copies stay.
  void unload();

  /// The same checkpoint for others to look at: it is refused to close, since who opened it, such
  /// as a model, does that.
  default Checkpoint lent() {
    return new LentCheckpoint(this);
  }

  /// Whether it is closed.
  boolean isClosed();

  /// Unmaps the files, as soon as nobody computes with the tensors; a second call does nothing.
  ///
  /// Operations that are running end first; those that would begin from then on throw an
  /// [IllegalStateException].
  ///
  /// @throws IllegalStateException if a task of such an operation calls it
  @Override
  void close();
}
