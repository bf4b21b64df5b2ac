package io.gatun.loaders;

import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// A checkpoint in the hands of someone who must not close it.
record LentCheckpoint(Checkpoint owned) implements Checkpoint {
  @Override
  public Path path() {
    return owned.path();
  }

  @Override
  public Format format() {
    return owned.format();
  }

  @Override
  public List<Part> parts() {
    return owned.parts();
  }

  @Override
  public Map<String, Tensor> tensors() {
    return owned.tensors();
  }

  @Override
  public Map<String, Object> metadata() {
    return owned.metadata();
  }

  @Override
  public Tensor tensor(String name) {
    return owned.tensor(name);
  }

  @Override
  public Path file(String tensor) {
    return owned.file(tensor);
  }

  @Override
  public Arena memory() {
    return owned.memory();
  }

  @Override
  public void readAhead() {
    owned.readAhead();
  }

  @Override
  public void unload() {
    owned.unload();
  }

  @Override
  public boolean isClosed() {
    return owned.isClosed();
  }

  /// @throws IllegalStateException unless it is closed already
  @Override
  public void close() {
    if (!isClosed()) {
      throw new IllegalStateException(
          path()
              + " is in use by the model that opened it, and is closed with that: close the model");
    }
  }

  @Override
  public String toString() {
    return owned.toString();
  }
}
