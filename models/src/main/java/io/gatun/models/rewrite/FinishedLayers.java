package io.gatun.models.rewrite;

import io.gatun.ffm.files.AtomicFile;
import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.SafetensorsWriter;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// What is found of each layer, a file of each, until the model is written whole: who was stopped
/// goes on with the first that is missing.
final class FinishedLayers implements AutoCloseable {
  /// In each file's metadata: of what work it is a part.
  private static final String WORK = "gatun.quantize";

  private final Path folder;
  private final String work;
  private final String prefix;
  private final List<Checkpoint> open = new ArrayList<>();

  /// @param folder made if it is not there
  /// @param work what tells this work from any other: files of another one are written over
  /// @param prefix of its files' names
  FinishedLayers(Path folder, String work, String prefix) {
    this.folder = folder;
    this.work = work;
    this.prefix = prefix;
    try {
      Files.createDirectories(folder);
      AtomicFile.removeAbandoned(folder);
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private Path file(int layer) {
    return folder.resolve("%s-%05d.safetensors".formatted(prefix, layer));
  }

  /// What is found of a layer, or null if it is not finished.
  Map<String, Tensor> read(int layer) {
    if (!Files.exists(file(layer))) {
      return null;
    }
    var checkpoint = Checkpoint.open(file(layer));
    if (!work.equals(checkpoint.metadata().get(WORK))) {
      checkpoint.close();
      return null;
    }
    open.add(checkpoint);
    return checkpoint.tensors();
  }

  void write(int layer, Map<String, Tensor> found) {
    var writer = new SafetensorsWriter().metadata(WORK, work);
    found.forEach(writer::add);
    writer.write(file(layer));
  }

  /// Removes the files, which nobody may use any more.
  void remove() {
    close();
    try {
      try (var files = Files.newDirectoryStream(folder, prefix + "-*.safetensors")) {
        for (Path file : files) {
          Files.delete(file);
        }
      }
      try (var others = Files.list(folder)) {
        if (others.findAny().isEmpty()) {
          Files.delete(folder);
        }
      }
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private CheckpointException failed(IOException e) {
    return new CheckpointException("%s: cannot be written: %s".formatted(folder, e), e);
  }

  @Override
  public void close() {
    open.forEach(Checkpoint::close);
    open.clear();
  }
}
